/** Messages of DNS in a stream: each behind its length in two bytes. */
const LENGTH_BYTES = 2;

export function framed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + message.length);
  new DataView(bytes.buffer).setUint16(0, message.length);
  bytes.set(message, LENGTH_BYTES);
  return bytes;
}

/** Tells of whole messages; what it keeps of an unfinished one is at most 64 KiB. */
export class DnsStreamReader {
  private readonly told: (message: Uint8Array) => void;
  private rest = new Uint8Array(0);

  constructor(told: (message: Uint8Array) => void) {
    this.told = told;
  }

  take(bytes: Uint8Array): void {
    let waiting = new Uint8Array(this.rest.length + bytes.length);
    waiting.set(this.rest);
    waiting.set(bytes, this.rest.length);
    while (waiting.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + new DataView(waiting.buffer, waiting.byteOffset).getUint16(0);
      if (waiting.length < end) break;
      this.told(waiting.subarray(LENGTH_BYTES, end));
      waiting = waiting.subarray(end);
    }
    this.rest = waiting.slice();
  }
}
