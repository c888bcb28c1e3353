/** One way between two peers while it is encrypted: ciphers, the counter of what was sent, and which counters came. */
import { ReplayWindow } from '../wireguard/replay-window.ts';
import type { DuplexCipher } from './packet-cipher.ts';

export class SecureSession {
  readonly cipher: DuplexCipher;
  readonly window = new ReplayWindow();
  /** What was dropped, as `ip -s xfrm state` counts it. */
  replayed = 0;
  forged = 0;
  private sent = 0;

  constructor(cipher: DuplexCipher) {
    this.cipher = cipher;
  }

  /** From 1, as ESP counts (RFC 4303 section 3.3.3). */
  nextCounter(): number {
    return ++this.sent;
  }
}
