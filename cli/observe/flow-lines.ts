/** Lines of several nodes' `hubble observe` as those of one, in the order of their times. */

/** `last`: so many, the newest. Nodes' clocks are the machine's. */
export function mergeFlowLines(outputs: readonly string[], last: number): string[] {
  const lines = outputs.flatMap((output) => output.split('\n')).filter((line) => line !== '');
  const timed = lines.map((line) => ({ line, time: timeOf(line) })).sort((a, b) => a.time - b.time);
  return last === 0 ? [] : timed.slice(-last).map(({ line }) => line);
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
