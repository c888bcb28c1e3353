/** Where a capture goes: a file, or standard output for `wireshark -k -i -`. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { whenNobodyReads } from '../output.ts';
import { messageOf, UserError } from '../user-error.ts';

export interface CaptureOutput {
  /** Resolves when the bytes are taken: after the reader closed, at once and for nothing. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Called when the reader is gone. */
  onGone: (() => void) | undefined;
  close(): Promise<void>;
}

/** `-` is standard output. Throws UserError when the file cannot be made, or a terminal would get the bytes. */
export async function openCaptureOutput(path: string): Promise<CaptureOutput> {
  if (path !== '-') return new StreamOutput(await openFile(path), true);
  if (process.stdout.isTTY) {
    throw new UserError('standard output is a terminal: give -o FILE.pcapng, or pipe it: ... | wireshark -k -i -');
  }
  return new StreamOutput(process.stdout, false);
}

async function openFile(path: string): Promise<Writable> {
  const file = createWriteStream(path);
  try {
    await once(file, 'open');
  } catch (error) {
    throw new UserError(`the capture cannot be written to ${path}: ${messageOf(error)}`);
  }
  return file;
}

class StreamOutput implements CaptureOutput {
  onGone: (() => void) | undefined;
  private readonly stream: Writable;
  private readonly isFile: boolean;
  private gone = false;
  private wake: (() => void) | undefined;

  constructor(stream: Writable, isFile: boolean) {
    this.stream = stream;
    this.isFile = isFile;
    if (isFile) stream.on('error', () => this.leave());
    else whenNobodyReads(() => this.leave());
  }

  private leave(): void {
    this.gone = true;
    this.wake?.();
    this.onGone?.();
  }

  readonly write = (bytes: Uint8Array): Promise<void> => {
    if (this.gone) return Promise.resolve();
    return new Promise((resolve) => {
      this.wake = resolve;
      this.stream.write(bytes, () => resolve());
    });
  };

  async close(): Promise<void> {
    if (!this.isFile || this.gone) return;
    this.stream.end();
    await once(this.stream, 'finish');
  }
}
