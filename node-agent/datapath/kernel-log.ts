/** The kernel's ring buffer of messages, which `dmesg` prints. The oldest make room. */
export const MAX_LINES = 4096;

export interface KernelLogLine {
  /** On the node's clock. */
  readonly atUs: number;
  readonly text: string;
}

export class KernelLog {
  private readonly nowUs: () => number;
  private lines: KernelLogLine[] = [];
  /** Number of the first line that is kept. */
  private first = 0;

  constructor(nowUs: () => number) {
    this.nowUs = nowUs;
  }

  add(text: string): void {
    this.lines.push({ atUs: this.nowUs(), text });
    if (this.lines.length <= MAX_LINES) return;
    // A quarter at once, so that a line costs the same however full it is.
    const gone = MAX_LINES / 4;
    this.lines = this.lines.slice(gone);
    this.first += gone;
  }

  /** Lines from number `from` on, and the number of the one that comes next. */
  since(from: number): { readonly lines: readonly KernelLogLine[]; readonly next: number } {
    return { lines: this.lines.slice(Math.max(0, from - this.first)), next: this.first + this.lines.length };
  }

  clear(): void {
    this.first += this.lines.length;
    this.lines = [];
  }
}
