/** A run's figures as a table for people and as one JSON line for programs. */
import type { MissingFigure } from './benchmark.ts';
import type { Figure } from './figure.ts';

export function renderTable(name: string, figures: Record<string, Figure | MissingFigure>): string {
  const header = ['figure', 'median', 'min .. max', 'unit', 'reference', 'ratio', 'goal', 'met'];
  const measured = Object.values(figures).filter((figure): figure is Figure => !('missing' in figure));
  const missing = Object.values(figures).filter((figure) => 'missing' in figure);
  const rows = measured.map((figure) => [
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
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  const reasons = missing.map(({ label, missing: reason }) => `${label}: not measured: ${reason}`);
  return [name, line(header), rule, ...rows.map(line), ...reasons].join('\n');
}

/** `{"bench": NAME, "figures": {key: {"value", "min", "max", "unit", "reference", "ratio", "goal", "met"} or {"missing": WHY}}}` on one line. */
export function renderJsonLine(name: string, figures: Record<string, Figure | MissingFigure>): string {
  const trimmed = Object.fromEntries(Object.entries(figures).map(([key, figure]) => [key, trim(figure)]));
  return JSON.stringify({ bench: name, figures: trimmed });
}

function trim(figure: Figure | MissingFigure) {
  if ('missing' in figure) return { missing: figure.missing };
  const { value, min, max, unit, reference, ratio, goal, met } = figure;
  return { value, min, max, unit, reference, ratio, goal, met };
}

function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
