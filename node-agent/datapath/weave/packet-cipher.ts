/** The ciphers of a connection between two of weave's peers, made by the platform; pure code cannot cipher. */

/** Of one direction and one use, with a key of its own: a counter is used once. */
export interface PacketCipher {
  /** By which the receiver knows the direction: a number of 32 bits. */
  readonly index: number;
  /**
   * Replaces `length` bytes at `offset` by their ciphertext, and puts the tag (16 bytes) behind. `headerBytes` at `header` are
   * authenticated as they are.
   */
  seal(counter: number, bytes: Uint8Array, header: number, headerBytes: number, offset: number, length: number): void;
  /** The reverse, for `length` bytes of ciphertext and the tag behind; false when they or the header are not authentic. */
  open(
    counter: number,
    bytes: Uint8Array,
    header: number,
    headerBytes: number,
    offset: number,
    length: number,
  ): boolean;
}

export interface DuplexCipher {
  readonly send: PacketCipher;
  readonly receive: PacketCipher;
}

/** Of the two ways between the peers. */
export interface PeerCiphers {
  readonly fastdp: DuplexCipher;
  readonly sleeve: DuplexCipher;
}
