/** What commands print: tables and sentences for people, JSON for programs. */

import { systemErrorCode } from './user-error.ts';

export const OUTPUT_FORMATS = ['text', 'json'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Of a shell's command that SIGPIPE ended. */
const BROKEN_PIPE_EXIT_CODE = 141;

let atBrokenOutput = (): void => process.exit(BROKEN_PIPE_EXIT_CODE);

/** From now on a command whose reader left (`podwire logs | head`), or whose terminal is gone, ends without a word. */
export function endWhenNobodyReads(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      const code = systemErrorCode(error);
      if (code !== 'EPIPE' && code !== 'EIO') throw error;
      atBrokenOutput();
    });
  }
}

/** For a command that has something to put in order before it ends. Called again for each further line that nobody reads. */
export function whenNobodyReads(run: () => void): void {
  atBrokenOutput = run;
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Columns as wide as their widest cell, two spaces between them. */
export function tableText(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  // More rows than a call takes arguments: what a policy changes among many pods.
  const widths = header.map((_, column) => lines.reduce((most, line) => Math.max(most, line[column]?.length ?? 0), 0));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** As kubectl prints ages: `45s`, `12m`, `3h25m`, `2d4h`. */
export function ageText(ageMs: number): string {
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return `${minutes}m${seconds % 60}s`;
  if (hours < 2) return `${minutes}m`;
  if (hours < 8) return `${hours}h${minutes % 60}m`;
  if (days < 2) return `${hours}h`;
  return days < 8 ? `${days}d${hours % 24}h` : `${days}d`;
}

export function memoryText(bytes: number | undefined): string {
  return bytes === undefined ? '-' : `${Math.round(bytes / 2 ** 20)} MiB`;
}

export function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
