/** Addresses between text and bytes. */
import { isIPv4, isIPv6 } from 'node:net';

const DOT = 0x2e;
const ZERO = 0x30;

/** The four octets; undefined when it is no dotted IPv4 address. */
export function ipv4Bytes(text: string): Uint8Array | undefined {
  if (!isIPv4(text)) return undefined;
  const octets = new Uint8Array(4);
  let index = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) index++;
    else octets[index] = (octets[index] as number) * 10 + code - ZERO;
  }
  return octets;
}

/** The 16 bytes of an IPv6 address in any of its forms (RFC 4291 section 2.2); undefined when it is none. */
export function ipv6Bytes(text: string): Uint8Array | undefined {
  if (!isIPv6(text)) return undefined;
  const [head = '', tail] = text.replace(/%.*$/, '').split('::');
  const front = groupsOf(head);
  const back = groupsOf(tail ?? '');
  const bytes = new Uint8Array(16);
  for (const [index, group] of front.entries()) put(bytes, index, group);
  for (const [index, group] of back.entries()) put(bytes, 8 - back.length + index, group);
  return bytes;
}

function groupsOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    const octets = ipv4Bytes(group);
    if (octets === undefined) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = octets;
    return [(a << 8) | b, (c << 8) | d];
  });
}

function put(bytes: Uint8Array, group: number, value: number): void {
  bytes[group * 2] = value >>> 8;
  bytes[group * 2 + 1] = value & 255;
}

/** IPv6 in its shortest form (RFC 5952), as the API keeps it; anything else as it is. */
export function canonicalAddress(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;
}
