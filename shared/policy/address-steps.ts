/** A value for every address of both families, constant between a few boundaries. */
import { isIpv6 } from '../wire/ipv6-table.ts';
import { type Place, placeOf } from './place.ts';
import { StepFunction } from './step-function.ts';

export class AddressSteps<Value> {
  private readonly ipv4: StepFunction<Value>;
  private readonly ipv6: StepFunction<Value, bigint>;

  constructor(boundaries: readonly Place[], valueFrom: (start: Place) => Value) {
    this.ipv4 = new StepFunction(
      0,
      boundaries.filter((place) => typeof place === 'number'),
      valueFrom,
    );
    this.ipv6 = new StepFunction(
      0n,
      boundaries.filter((place) => typeof place === 'bigint'),
      valueFrom,
    );
  }

  at(address: number): Value {
    if (!isIpv6(address)) return this.ipv4.at(address);
    return this.ipv6.only ?? this.ipv6.at(placeOf(address) as bigint); // as it is for IPv6
  }
}
