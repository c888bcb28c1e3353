/** Authenticated encryption of a stretch of packet memory, with its tag right behind it. */
import type { CipherChaCha20Poly1305, CipherGCM, DecipherChaCha20Poly1305, DecipherGCM } from 'node:crypto';

export const TAG_BYTES = 16;

/** There must be room for the tag behind the stretch. */
export function sealInPlace(
  cipher: CipherGCM | CipherChaCha20Poly1305,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void {
  bytes.set(cipher.update(bytes.subarray(offset, offset + length)), offset);
  cipher.final();
  bytes.set(cipher.getAuthTag(), offset + length);
}

/** False, and the stretch as it was, when the tag behind it is another one. */
export function openInPlace(
  decipher: DecipherGCM | DecipherChaCha20Poly1305,
  bytes: Uint8Array,
  offset: number,
  length: number,
): boolean {
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
