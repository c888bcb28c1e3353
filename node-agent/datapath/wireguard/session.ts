/** What two nodes share once each knows the other's public key: a cipher for each direction. */
import { ReplayWindow } from './replay-window.ts';

/** Of one session, made by the platform; pure code cannot cipher. */
export interface SessionCipher {
  /** By which the other end knows the session, and by which this one does. */
  readonly sendIndex: number;
  readonly receiveIndex: number;
  /** Replaces `length` bytes at `offset` by their ciphertext, and puts the tag (16 bytes) behind. A counter is used once. */
  seal(counter: number, bytes: Uint8Array, offset: number, length: number): void;
  /** The reverse, for `length` bytes of ciphertext and the tag behind; false when they are not authentic. */
  open(counter: number, bytes: Uint8Array, offset: number, length: number): boolean;
}

/** The node's key pair, which is made anew whenever the node starts: no counter of a session is ever used twice. */
export interface WireguardKeys {
  /** Base64 of 32 bytes. */
  readonly publicKey: string;
  /** With the owner of another public key; undefined where that is none. */
  cipherWith(publicKey: string): SessionCipher | undefined;
}

export class Session {
  readonly cipher: SessionCipher;
  readonly window = new ReplayWindow();
  private sent = 0;

  constructor(cipher: SessionCipher) {
    this.cipher = cipher;
  }

  nextCounter(): number {
    return this.sent++;
  }
}
