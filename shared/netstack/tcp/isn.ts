import { addressDigest } from '../../wire/ip-address.ts';
import { hashWords } from '../halfsiphash.ts';

/** Numbers that differ for each pair of endpoints and that only the holder of the secret can compute. */
export class EndpointSecrets {
  private readonly words: number[];

  /** `secret` has at least 16 bytes. */
  constructor(secret: Uint8Array) {
    const view = new DataView(secret.buffer, secret.byteOffset, secret.byteLength);
    this.words = [0, 4, 8, 12].map((offset) => view.getUint32(offset, true));
  }

  /** RFC 6528: a clock of 4 microseconds a tick, moved by a hash of the endpoints. */
  initialSequence(nowUs: number, local: number, localPort: number, remote: number, remotePort: number): number {
    const ports = (localPort << 16) | remotePort;
    return (this.hash(0, 1, local, remote, ports) + Math.floor(nowUs / 4)) >>> 0;
  }

  /** RFC 6056 algorithm 3 and 4: where the search for a free port begins for this destination. */
  portOffset(local: number, remote: number, remotePort: number): number {
    return this.hash(2, 3, local, remote, remotePort);
  }

  /** RFC 7323 section 5.4: timestamps of one pair of endpoints begin at a value of their own. */
  timestampOffset(local: number, localPort: number, remote: number, remotePort: number): number {
    return this.hash(2, 1, remote, local, (remotePort << 16) | localPort);
  }

  private hash(key0: number, key1: number, a: number, b: number, c: number): number {
    return hashWords(this.words[key0]!, this.words[key1]!, addressDigest(a), addressDigest(b), c);
  }
}
