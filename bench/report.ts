/** A run's figures as a table for people and as one JSON line for programs. */
import type { Figure } from './figure.ts';

export function renderTable(name: string, figures: Record<string, Figure>): string {
  const header = ['figure', 'median', 'min .. max', 'unit', 'reference', 'ratio', 'goal', 'met'];
  const rows = Object.values(figures).map((figure) => [
    figure.label,
    number(figure.value),
    `${number(figure.min)} .. ${number(figure.max)}`,
    figure.unit,
    figure.reference === null ? '-' : `${number(figure.reference)} (${figure.referenceLabel})`,
    figure.ratio === null ? '-' : figure.ratio.toFixed(2),
    figure.goal ?? '-',
    figure.met === null ? '-' : figure.met ? 'yes' : 'NO',
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd();
  return [`${name}`, line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

/** `{"bench": NAME, "figures": {key: {"value", "unit", "reference", "ratio", "goal", "met"}}}` on one line. */
export function renderJsonLine(name: string, figures: Record<string, Figure>): string {
  const trimmed = Object.fromEntries(
    Object.entries(figures).map(([key, { value, unit, reference, ratio, goal, met }]) => [
      key,
      { value, unit, reference, ratio, goal, met },
    ]),
  );
  return JSON.stringify({ bench: name, figures: trimmed });
}

function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
