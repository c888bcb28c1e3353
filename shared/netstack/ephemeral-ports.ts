/** The choice of ephemeral ports (RFC 6056). */

/** Linux' ip_local_port_range. */
export const FIRST_EPHEMERAL_PORT = 32_768;
export const LAST_EPHEMERAL_PORT = 60_999;
const RANGE = LAST_EPHEMERAL_PORT - FIRST_EPHEMERAL_PORT + 1;

/** RFC 6056 algorithm 1: a random start, then the next one that is free; 0 when none is. */
export function randomPort(random: () => number, isFree: (port: number) => boolean): number {
  return firstFree(Math.floor(random() * RANGE), isFree);
}

/**
 * RFC 6056 algorithm 4: for each destination its own start, `offset`, known only to who has the secret, and a counter that
 * separates one connection from the next; 0 when no port is free.
 */
export function hashedPort(offset: number, counter: number, isFree: (port: number) => boolean): number {
  return firstFree(((offset >>> 0) + counter) % RANGE, isFree);
}

function firstFree(start: number, isFree: (port: number) => boolean): number {
  for (let i = 0; i < RANGE; i++) {
    const port = FIRST_EPHEMERAL_PORT + ((start + i) % RANGE);
    if (isFree(port)) return port;
  }
  return 0;
}
