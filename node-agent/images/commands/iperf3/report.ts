/** The tables that iperf3 prints (3.12, `-f a`). */

export const SEPARATOR = '- - - - - - - - - - - - - - - - - - - - - - - - -';

export interface ReportRow {
  /** A stream's number, or all of them. */
  readonly id: number | 'SUM';
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly bytes: number;
  /** Absent where they are not known. */
  readonly retransmits?: number;
  readonly role?: 'sender' | 'receiver';
}

export function reportHeader(withRetransmits = false): string {
  return `[ ID] Interval           Transfer     Bitrate${withRetransmits ? '         Retr' : ''}`;
}

export function reportRow({ id, fromSeconds, toSeconds, bytes, retransmits, role }: ReportRow): string {
  const number = id === 'SUM' ? id : String(id).padStart(3);
  const interval = `${fromSeconds.toFixed(2).padStart(6)}-${toSeconds.toFixed(2).padEnd(6)}`;
  const seconds = toSeconds - fromSeconds;
  const rate = `${amount(seconds > 0 ? (bytes * 8) / seconds : 0, 1000)}bits/sec`;
  const extra = retransmits === undefined ? '' : String(retransmits).padStart(3);
  const width = 18 - extra.length - (extra === '' ? 0 : 2);
  return `[${number}] ${interval} sec  ${amount(bytes, 1024)}Bytes  ${rate}${extra === '' ? '' : '  '}${extra}${' '.repeat(width)}${role ?? ''}`;
}

const PREFIXES = ['', 'K', 'M', 'G', 'T'];

/** Four characters of number, and the prefix of the unit: `12.0 M`. */
function amount(value: number, base: number): string {
  let scaled = value;
  let prefix = 0;
  while (scaled >= base && prefix < PREFIXES.length - 1) {
    scaled /= base;
    prefix++;
  }
  const digits = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
  return `${scaled.toFixed(digits).padStart(4)} ${PREFIXES[prefix]}`;
}

export interface StreamTotal {
  readonly id: number;
  readonly sentBytes: number | undefined;
  readonly receivedBytes: number | undefined;
  readonly retransmits?: number;
}

/** What is printed at the end, for the ends that are known. */
export function finalReport(totals: readonly StreamTotal[], seconds: number): string[] {
  const withRetransmits = totals.some(({ retransmits }) => retransmits !== undefined);
  const rows = totals.flatMap((total) => endRows(total.id, total, seconds));
  if (totals.length > 1) rows.push(...endRows('SUM', sumOf(totals), seconds));
  return [SEPARATOR, reportHeader(withRetransmits), ...rows];
}

type Total = Omit<StreamTotal, 'id'>;

function endRows(id: ReportRow['id'], total: Total, toSeconds: number): string[] {
  const { sentBytes, receivedBytes, retransmits } = total;
  const common = { id, fromSeconds: 0, toSeconds };
  const rows: string[] = [];
  if (sentBytes !== undefined) rows.push(reportRow({ ...common, bytes: sentBytes, retransmits, role: 'sender' }));
  if (receivedBytes !== undefined) rows.push(reportRow({ ...common, bytes: receivedBytes, role: 'receiver' }));
  return rows;
}

function sumOf(totals: readonly StreamTotal[]): Total {
  const sum = (value: (total: StreamTotal) => number | undefined): number | undefined =>
    totals.some((total) => value(total) !== undefined)
      ? totals.reduce((all, total) => all + (value(total) ?? 0), 0)
      : undefined;
  return {
    sentBytes: sum((total) => total.sentBytes),
    receivedBytes: sum((total) => total.receivedBytes),
    retransmits: sum((total) => total.retransmits),
  };
}
