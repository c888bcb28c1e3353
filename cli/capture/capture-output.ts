/** Where a capture goes: a file, or standard output for `wireshark -k -i -`. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { stat, truncate } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { whenNobodyReads } from '../output.ts';
import { messageOf, UserError } from '../user-error.ts';

export interface CaptureOutput {
  /** Resolves when the bytes are taken: after the reader closed, at once and for nothing. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Called when the reader is gone. */
  onGone: (() => void) | undefined;
  /** Throws UserError when not all could be written; a file then ends with the last packet that is there as a whole. */
  close(): Promise<void>;
}

/** `-` is standard output. Throws UserError when the file cannot be made, or a terminal would get the bytes. */
export async function openCaptureOutput(path: string): Promise<CaptureOutput> {
  if (path !== '-') return new StreamOutput(await openFile(path), path);
  if (process.stdout.isTTY) {
    throw new UserError('standard output is a terminal: give -o FILE.pcapng, or pipe it: ... | wireshark -k -i -');
  }
  return new StreamOutput(process.stdout, null);
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
  /** null for standard output. */
  private readonly path: string | null;
  private gone = false;
  private wake: (() => void) | undefined;
  /** Of a file: what went wrong with it, and up to where it is whole. */
  private failure: Error | undefined;
  private wholeBytes = 0;

  constructor(stream: Writable, path: string | null) {
    this.stream = stream;
    this.path = path;
    if (path === null) whenNobodyReads(() => this.leave());
    else stream.on('error', (error) => this.fail(error));
  }

  private fail(error: Error): void {
    this.failure = error;
    this.leave();
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
      this.stream.write(bytes, (error) => {
        if (error == null) this.wholeBytes += bytes.length;
        resolve();
      });
    });
  };

  async close(): Promise<void> {
    const { path } = this;
    if (path === null) return;
    if (!this.gone) {
      this.stream.end();
      await finished(this.stream).catch((error: Error) => this.fail(error));
    }
    if (this.failure === undefined) return;
    if ((await stat(path)).isFile()) await truncate(path, this.wholeBytes);
    throw new UserError(`the capture ended early, ${path} cannot be written: ${messageOf(this.failure)}`);
  }
}
