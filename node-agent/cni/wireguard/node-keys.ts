/**
 * A node's key pair for encrypted tunnels (X25519, RFC 7748) and the ciphers it makes with those of other nodes: two keys of
 * HKDF (RFC 5869) from the shared secret, one a direction, for ChaCha20-Poly1305 (RFC 8439) with WireGuard's nonces.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import type { SessionCipher, WireguardKeys } from '../../datapath/wireguard/session.ts';

const ALGORITHM = 'chacha20-poly1305';
const KEY_BYTES = 32;
const INDEX_BYTES = 4;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
/** Of RFC 8410's SubjectPublicKeyInfo before the 32 bytes of an X25519 key. */
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

/** A pair that nobody had before. */
export function createNodeKeys(): WireguardKeys {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const own = publicKey.export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX.length);
  return {
    publicKey: own.toString('base64'),
    cipherWith: (text) => cipherBetween(own, privateKey, text),
  };
}

function cipherBetween(own: Buffer, privateKey: KeyObject, text: string): SessionCipher | undefined {
  const other = Buffer.from(text, 'base64');
  if (other.length !== KEY_BYTES || other.equals(own)) return undefined;
  const secret = sharedSecret(privateKey, other);
  if (secret === undefined) return undefined;
  const towards = (receiver: Buffer): Buffer =>
    Buffer.from(
      hkdfSync('sha256', secret, Buffer.concat([own, other].sort(Buffer.compare)), receiver, KEY_BYTES + INDEX_BYTES),
    );
  return new ChaChaCipher(towards(other), towards(own));
}

/** Undefined for a point of small order, whose secret everybody knows (RFC 7748 section 6.1). */
function sharedSecret(privateKey: KeyObject, other: Buffer): Buffer | undefined {
  try {
    const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, other]), type: 'spki', format: 'der' });
    return diffieHellman({ privateKey, publicKey: key });
  } catch {
    // OpenSSL refuses it; a key from an annotation is anyone's to write.
    return undefined;
  }
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
    bytes.set(cipher.update(bytes.subarray(offset, offset + length)), offset);
    cipher.final();
    bytes.set(cipher.getAuthTag(), offset + length);
  }

  open(counter: number, bytes: Uint8Array, offset: number, length: number): boolean {
    const decipher = createDecipheriv(ALGORITHM, this.receiveKey, this.nonceOf(counter), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(offset + length, offset + length + TAG_BYTES));
    const plain = decipher.update(bytes.subarray(offset, offset + length));
    try {
      decipher.final();
    } catch {
      // This is how it says that the tag is another one.
      return false;
    }
    bytes.set(plain, offset);
    return true;
  }

  /** 32 zero bits and the counter, little-endian (WireGuard's whitepaper, section 5.4.6). */
  private nonceOf(counter: number): Buffer {
    this.nonce.writeUInt32LE(counter % 2 ** 32, 4);
    this.nonce.writeUInt32LE(Math.floor(counter / 2 ** 32), 8);
    return this.nonce;
  }
}
