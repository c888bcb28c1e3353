/** `-w`: packets into a classic capture file. */

import * as ethernet from '../../../../shared/wire/ethernet.ts';
import { fileHeader, fileRecord, LINK_TYPE_COOKED, LINK_TYPE_ETHERNET } from '../../../../shared/wire/pcap-file.ts';
import type { Invocation } from '../../coreutils/utility.ts';
import type { OpenFile } from '../../open-file.ts';
import { write } from '../../program-io.ts';
import { cook, HEADER_BYTES } from './cooked.ts';
import type { DumpedFrame } from './packet-source.ts';

export class FrameWriter {
  private readonly path: string;
  private readonly snapBytes: number;
  private readonly file: OpenFile | undefined;

  /** Throws FileError when the file cannot be made; `-` is standard output. */
  constructor(invocation: Invocation, path: string, snapBytes: number) {
    this.path = path;
    this.snapBytes = snapBytes;
    this.file = path === '-' ? undefined : invocation.openFile(path, 'write');
  }

  begin(invocation: Invocation, cooked: boolean): Promise<void> {
    return this.put(invocation, fileHeader(this.snapBytes, cooked ? LINK_TYPE_COOKED : LINK_TYPE_ETHERNET));
  }

  write(invocation: Invocation, frames: readonly DumpedFrame[]): Promise<void> {
    return this.put(invocation, Buffer.concat(frames.map(recordOf)));
  }

  async end(): Promise<void> {
    this.file?.release();
  }

  private put(invocation: Invocation, bytes: Uint8Array): Promise<void> {
    return this.path === '-' ? invocation.print(bytes) : write(this.file!.writer(), bytes);
  }
}

function recordOf({ timestampNs, bytes, wireBytes, cooked }: DumpedFrame): Uint8Array {
  if (cooked === undefined) return fileRecord({ timestampNs, bytes, wireBytes });
  const growth = HEADER_BYTES - ethernet.HEADER_BYTES;
  return fileRecord({
    timestampNs,
    bytes: cook(bytes, cooked, cooked.deviceName === 'lo'),
    wireBytes: wireBytes + growth,
  });
}
