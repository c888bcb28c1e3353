/** The columns of `ss` as iproute2 lays them out: addresses end, and ports begin, at a common colon. */
import type { SocketRow } from './socket-rows.ts';

export interface SsColumns {
  readonly protocol: boolean;
  readonly state: boolean;
  readonly headings: boolean;
}

interface Cell {
  readonly text: string;
  readonly alignRight?: boolean;
  /** What stands between it and the cell before. */
  readonly before: ' ' | ':' | '';
}

const COLUMNS: readonly Omit<Cell, 'text'>[] = [
  { before: ' ' },
  { before: ' ' },
  { before: ' ' },
  { before: ' ' },
  { before: ' ', alignRight: true },
  { before: ':' },
  { before: ' ', alignRight: true },
  { before: ':' },
];

const PROCESS_HEADING = 'Process';

/** `users` tells of each socket's programs, where that was asked for. */
export function ssTable(rows: readonly SocketRow[], columns: SsColumns, users?: (row: SocketRow) => string): string {
  const headings = lineOf(columns, [
    'Netid',
    'State',
    'Recv-Q',
    'Send-Q',
    'Local Address',
    'Port',
    'Peer Address',
    'Port',
  ]);
  const lines = rows.map((row) =>
    lineOf(columns, [
      row.protocol,
      row.state,
      `${row.receiveQueueBytes}`,
      `${row.sendQueueBytes}`,
      bracketed(row.localAddress),
      `${row.localPort}`,
      bracketed(row.remoteAddress),
      row.remotePort === 0 ? '*' : `${row.remotePort}`,
    ]),
  );
  const shown = columns.headings ? [headings, ...lines] : lines;
  // Without headings the addresses need no room for theirs; the others keep it.
  const leastWidths = headings.map(({ text }, index) => (index < headings.length - 4 ? text.length : 0));
  const widths = leastWidths.map((least, index) => Math.max(least, ...shown.map((line) => line[index]!.text.length)));
  const processes = rows.map((row) => users?.(row) ?? '');
  if (columns.headings) processes.unshift(PROCESS_HEADING);
  const processWidth = Math.max(0, ...processes.map((text) => text.length));
  return shown
    .map((line, at) => {
      const process = processes[at]!.padEnd(processWidth);
      return `${line.map((cell, index) => padded(cell, widths[index]!)).join('')}${process}\n`;
    })
    .join('');
}

export function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** Of the columns in their order, those that are shown. */
function lineOf(columns: SsColumns, texts: readonly string[]): Cell[] {
  const cells = COLUMNS.map((column, index): Cell => ({ ...column, text: texts[index]! }));
  const shown = cells.slice(columns.state ? 1 : 2);
  if (columns.protocol) shown.unshift(cells[0]!);
  return shown.map((cell, index) => (index === 0 ? { ...cell, before: '' } : cell));
}

function padded({ text, alignRight, before }: Cell, width: number): string {
  return before + (alignRight ? text.padStart(width) : text.padEnd(width));
}
