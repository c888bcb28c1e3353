/** Tables in the two forms that calicoctl prints. */

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  return (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
}

/** As `calicoctl get` prints. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = widthsOf(rows);
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** As `calicoctl ipam show` and `node status` print: titles in the middle, numbers at the right. */
export function boxed(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = widthsOf([header, ...rows]);
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+\n`;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  const centred = (text: string, width: number) =>
    text.padStart(text.length + ((width - text.length) >> 1)).padEnd(width);
  const placed = (text: string, width: number) => (/^\d+$/.test(text) ? text.padStart(width) : text.padEnd(width));
  const title = line(header.map((text, i) => centred(text, widths[i]!)));
  return `${rule}${title}${rule}${rows.map((row) => line(row.map((text, i) => placed(text, widths[i]!)))).join('')}${rule}`;
}
