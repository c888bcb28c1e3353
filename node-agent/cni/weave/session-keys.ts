/**
 * What two peers share once they have a password in common: for each connection a secret of fresh X25519 keys, and from it and the
 * password's key (scrypt, RFC 7914) by HKDF (RFC 5869) a key for each direction of the control connection, of the fast datapath and of the
 * sleeve. Ciphers are AES-256-GCM with RFC 4106's nonces. Whoever does not know the password gets other keys.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, scryptSync } from 'node:crypto';
import type { DuplexCipher, PacketCipher, PeerCiphers } from '../../datapath/weave/packet-cipher.ts';
import { openInPlace, sealInPlace, TAG_BYTES } from '../seal-in-place.ts';
import { createKeyPair } from '../x25519.ts';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const SALT_BYTES = 4;
const INDEX_BYTES = 4;
const NONCE_BYTES = 12;
/** Indexes up to this are reserved (RFC 4303 section 2.1). */
const RESERVED_INDEXES = 255;

export interface ConnectionKeys {
  readonly control: DuplexCipher;
  readonly packets: PeerCiphers;
}

/** One side of one connection. */
export interface KeyAgreement {
  /** Base64 of 32 bytes. */
  readonly publicKey: string;
  /** Undefined for what is no public key. */
  keysWith(publicKey: string): ConnectionKeys | undefined;
}

export class MeshPassword {
  private readonly key: Buffer;

  /** Slow, so that nobody guesses many passwords in a short time. */
  constructor(password: string) {
    this.key = scryptSync(password, 'podwire weave mesh', KEY_BYTES);
  }

  agreement(): KeyAgreement {
    const pair = createKeyPair();
    const own = pair.publicKey;
    const keysWith = (text: string): ConnectionKeys | undefined => {
      const other = Buffer.from(text, 'base64');
      const secret = pair.secretWith(other);
      if (secret === undefined) return undefined;
      const both = Buffer.concat([own, other].sort(Buffer.compare));
      const direction = (use: string, receiver: Buffer): PacketCipher => {
        const info = Buffer.concat([Buffer.from(use), both, receiver]);
        return new GcmCipher(
          Buffer.from(hkdfSync('sha256', secret, this.key, info, KEY_BYTES + SALT_BYTES + INDEX_BYTES)),
        );
      };
      const duplex = (use: string): DuplexCipher => ({ send: direction(use, other), receive: direction(use, own) });
      return { control: duplex('control'), packets: { fastdp: duplex('fastdp'), sleeve: duplex('sleeve') } };
    };
    return { publicKey: own.toString('base64'), keysWith };
  }
}

class GcmCipher implements PacketCipher {
  readonly index: number;
  /** Imported once: a cipher of a key's bytes costs three times as much. */
  private readonly key: KeyObject;
  private readonly nonce = Buffer.alloc(NONCE_BYTES);

  /** A key, the salt of its nonces, and the index by which its receiver knows it. */
  constructor(material: Buffer) {
    this.key = createSecretKey(material.subarray(0, KEY_BYTES));
    material.copy(this.nonce, 0, KEY_BYTES, KEY_BYTES + SALT_BYTES);
    const index = material.readUInt32BE(KEY_BYTES + SALT_BYTES);
    this.index = index <= RESERVED_INDEXES ? index + RESERVED_INDEXES + 1 : index;
  }

  seal(counter: number, bytes: Uint8Array, header: number, headerBytes: number, offset: number, length: number): void {
    const cipher = createCipheriv(ALGORITHM, this.key, this.nonceOf(counter));
    cipher.setAAD(bytes.subarray(header, header + headerBytes));
    sealInPlace(cipher, bytes, offset, length);
  }

  open(
    counter: number,
    bytes: Uint8Array,
    header: number,
    headerBytes: number,
    offset: number,
    length: number,
  ): boolean {
    const decipher = createDecipheriv(ALGORITHM, this.key, this.nonceOf(counter), { authTagLength: TAG_BYTES });
    decipher.setAAD(bytes.subarray(header, header + headerBytes));
    return openInPlace(decipher, bytes, offset, length);
  }

  /** The salt and the counter (RFC 4106 section 4). */
  private nonceOf(counter: number): Buffer {
    this.nonce.writeUInt32BE(Math.floor(counter / 2 ** 32), SALT_BYTES);
    this.nonce.writeUInt32BE(counter % 2 ** 32, SALT_BYTES + 4);
    return this.nonce;
  }
}
