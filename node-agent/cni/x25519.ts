/** Key pairs for agreements on a secret (X25519, RFC 7748), with public keys of 32 bytes. */
import { createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';

export const PUBLIC_KEY_BYTES = 32;
/** Of RFC 8410's SubjectPublicKeyInfo before the 32 bytes of an X25519 key. */
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

export interface KeyPair {
  readonly publicKey: Buffer;
  /** Undefined for what is no public key of somebody else's. */
  secretWith(other: Buffer): Buffer | undefined;
}

/** A pair that nobody had before. */
export function createKeyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const own = publicKey.export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX.length);
  return {
    publicKey: own,
    secretWith: (other) =>
      other.length !== PUBLIC_KEY_BYTES || other.equals(own) ? undefined : sharedSecret(privateKey, other),
  };
}

/** Undefined for a point of small order, whose secret everybody knows (RFC 7748 section 6.1). */
function sharedSecret(privateKey: KeyObject, other: Buffer): Buffer | undefined {
  try {
    const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, other]), type: 'spki', format: 'der' });
    return diffieHellman({ privateKey, publicKey: key });
  } catch {
    // OpenSSL refuses it; a public key is anyone's to send.
    return undefined;
  }
}
