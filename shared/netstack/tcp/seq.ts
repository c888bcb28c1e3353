/** Sequence numbers: 32 bits that wrap, compared by their signed distance (RFC 9293 section 3.4). */

export function add(sequence: number, bytes: number): number {
  return (sequence + bytes) >>> 0;
}

/** How far `a` is after `b`; negative when before. Right while they are less than 2^31 apart. */
export function distance(a: number, b: number): number {
  return (a - b) | 0;
}

export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function after(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export function later(a: number, b: number): number {
  return ((a - b) | 0) >= 0 ? a : b;
}

export function earlier(a: number, b: number): number {
  return ((a - b) | 0) <= 0 ? a : b;
}
