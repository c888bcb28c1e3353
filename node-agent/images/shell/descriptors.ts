/** A shell's file descriptors: number -> open file. */
import type { OpenFile } from '../open-file.ts';

export class Descriptors {
  private readonly files: Map<number, OpenFile>;

  /** Takes its own references. */
  constructor(files: Iterable<readonly [number, OpenFile]>) {
    this.files = new Map();
    for (const [number, file] of files) this.files.set(number, file.retain());
  }

  copy(): Descriptors {
    return new Descriptors(this.files);
  }

  get(number: number): OpenFile | undefined {
    return this.files.get(number);
  }

  /** Takes over the caller's reference. */
  set(number: number, file: OpenFile): void {
    const old = this.files.get(number);
    this.files.set(number, file);
    old?.release();
  }

  close(number: number): void {
    this.files.get(number)?.release();
    this.files.delete(number);
  }

  /** Closes everything. */
  dispose(): void {
    for (const file of this.files.values()) file.release();
    this.files.clear();
  }
}
