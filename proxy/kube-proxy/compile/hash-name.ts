/** Names from hashes, as kube-proxy makes them: the beginning of the base32 of a SHA-256. */

/** SHA-256 of a text's UTF-8 bytes; given by the edge, as hashing is the platform's. */
export type Sha256 = (text: string) => Uint8Array;

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function hashName(sha256: Sha256, text: string, characters: number): string {
  let name = '';
  let bits = 0;
  let value = 0;
  for (const byte of sha256(text)) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      name += BASE32[(value >>> (bits - 5)) & 31];
      if (name.length === characters) return name;
      bits -= 5;
    }
    value &= (1 << bits) - 1;
  }
  return name;
}
