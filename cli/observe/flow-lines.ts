/** Lines of several nodes' `hubble observe` as those of one, in the order of their times. */

const DEFAULT_LAST = 20;

/** Of all nodes' lines so many as one node would print, asked in these words. Nodes' clocks are the machine's. */
export function mergeFlowLines(outputs: readonly string[], filters: readonly string[]): string[] {
  const lines = outputs.flatMap((output) => output.split('\n')).filter((line) => line !== '');
  const timed = lines.map((line) => ({ line, time: timeOf(line) })).sort((a, b) => a.time - b.time);
  const all = timed.map(({ line }) => line);
  const first = numberIn(filters, 'first');
  if (first !== undefined) return all.slice(0, first);
  const last = numberIn(filters, 'last') ?? (isUnlimited(filters) ? all.length : DEFAULT_LAST);
  return all.slice(Math.max(0, all.length - last));
}

function numberIn(words: readonly string[], option: string): number | undefined {
  const text = new RegExp(` --${option}[= ](\\d+)`).exec(` ${words.join(' ')}`)?.[1];
  return text === undefined ? undefined : Number(text);
}

function isUnlimited(words: readonly string[]): boolean {
  return words.some((word) => /^--(all$|since|until)/.test(word));
}

/** Of `{"flow":{"time":...` or `Nov 29 00:59:43.123: ...`; milliseconds of some year. */
function timeOf(line: string): number {
  const text = line.startsWith('{') ? /"time":"([^"]+)"/.exec(line)?.[1] : `${line.slice(0, 19)} UTC`;
  return Date.parse(text ?? '');
}

/** Hands on whole lines of text that comes in pieces. */
export class LineSplitter {
  private readonly told: (line: string) => void;
  private rest = '';

  constructor(told: (line: string) => void) {
    this.told = told;
  }

  take(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.told(line);
  }
}
