/**
 * A node's key pair for encrypted tunnels (X25519, RFC 7748) and the ciphers it makes with those of other nodes: two keys of
 * HKDF (RFC 5869) from the shared secret, one a direction, for ChaCha20-Poly1305 (RFC 8439) with WireGuard's nonces.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { SessionCipher, WireguardKeys } from '../../datapath/wireguard/session.ts';
import { openInPlace, sealInPlace, TAG_BYTES } from '../seal-in-place.ts';
import { createKeyPair, type KeyPair } from '../x25519.ts';

const ALGORITHM = 'chacha20-poly1305';
const KEY_BYTES = 32;
const INDEX_BYTES = 4;
const NONCE_BYTES = 12;

/** A pair that nobody had before. */
export function createNodeKeys(): WireguardKeys {
  const pair = createKeyPair();
  return { publicKey: pair.publicKey.toString('base64'), cipherWith: (text) => cipherBetween(pair, text) };
}

function cipherBetween(pair: KeyPair, text: string): SessionCipher | undefined {
  const { publicKey: own } = pair;
  const other = Buffer.from(text, 'base64');
  const secret = pair.secretWith(other);
  if (secret === undefined) return undefined;
  const towards = (receiver: Buffer): Buffer =>
    Buffer.from(
      hkdfSync('sha256', secret, Buffer.concat([own, other].sort(Buffer.compare)), receiver, KEY_BYTES + INDEX_BYTES),
    );
  return new ChaChaCipher(towards(other), towards(own));
}

class ChaChaCipher implements SessionCipher {
  readonly sendIndex: number;
  readonly receiveIndex: number;
  /** Imported once: a cipher of a key's bytes costs three times as much. */
  private readonly sendKey: KeyObject;
  private readonly receiveKey: KeyObject;
  private readonly nonce = Buffer.alloc(NONCE_BYTES);

  /** Each: a key, and the index by which its receiver knows the session. */
  constructor(send: Buffer, receive: Buffer) {
    this.sendKey = createSecretKey(send.subarray(0, KEY_BYTES));
    this.receiveKey = createSecretKey(receive.subarray(0, KEY_BYTES));
    this.sendIndex = send.readUInt32LE(KEY_BYTES);
    this.receiveIndex = receive.readUInt32LE(KEY_BYTES);
  }

  seal(counter: number, bytes: Uint8Array, offset: number, length: number): void {
    const cipher = createCipheriv(ALGORITHM, this.sendKey, this.nonceOf(counter), { authTagLength: TAG_BYTES });
    sealInPlace(cipher, bytes, offset, length);
  }

  open(counter: number, bytes: Uint8Array, offset: number, length: number): boolean {
    const decipher = createDecipheriv(ALGORITHM, this.receiveKey, this.nonceOf(counter), { authTagLength: TAG_BYTES });
    return openInPlace(decipher, bytes, offset, length);
  }

  /** 32 zero bits and the counter, little-endian (WireGuard's whitepaper, section 5.4.6). */
  private nonceOf(counter: number): Buffer {
    this.nonce.writeUInt32LE(counter % 2 ** 32, 4);
    this.nonce.writeUInt32LE(Math.floor(counter / 2 ** 32), 8);
    return this.nonce;
  }
}
