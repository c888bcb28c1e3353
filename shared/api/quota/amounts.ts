/** Quantities by the name of what they are of (`requests.cpu`, `pods`): sums, comparisons, texts. */
import { addQuantities, compareQuantities, formatQuantity, parseQuantity, type Quantity } from '../quantity.ts';

export type Amounts = ReadonlyMap<string, Quantity>;

/** What is not a quantity is left out; the decoder has let none of these through. */
export function amountsOf(quantities: Readonly<Record<string, unknown>> | undefined): Map<string, Quantity> {
  const amounts = new Map<string, Quantity>();
  for (const [name, text] of Object.entries(quantities ?? {})) {
    const quantity = parseQuantity(String(text));
    if (quantity !== undefined) amounts.set(name, quantity);
  }
  return amounts;
}

export function count(number: number): Quantity {
  return { nano: BigInt(number) * 10n ** 9n, format: 'DecimalSI' };
}

/** Changes `sum`. */
export function addTo(sum: Map<string, Quantity>, more: Amounts): void {
  for (const [name, quantity] of more) {
    const present = sum.get(name);
    sum.set(name, present === undefined ? quantity : addQuantities(present, quantity));
  }
}

/** Changes `most`, which takes the larger of each. */
export function raiseTo(most: Map<string, Quantity>, other: Amounts): void {
  for (const [name, quantity] of other) {
    const present = most.get(name);
    if (present === undefined || compareQuantities(present, quantity) < 0) most.set(name, quantity);
  }
}

export function negated(amounts: Amounts): Map<string, Quantity> {
  return new Map([...amounts].map(([name, { nano, format }]) => [name, { nano: -nano, format }]));
}

/** As the API stores them. */
export function quantitiesOf(amounts: Amounts): Record<string, string> {
  return Object.fromEntries([...amounts].map(([name, quantity]) => [name, formatQuantity(quantity)]));
}

/** `pods=1,requests.cpu=100m`, by name; what is not there is 0. */
export function amountsText(amounts: Amounts, names: readonly string[]): string {
  const text = (name: string) => `${name}=${formatQuantity(amounts.get(name) ?? count(0))}`;
  return [...names].sort().map(text).join(',');
}
