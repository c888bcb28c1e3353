/** Names and MAC addresses that the node gives its devices. */

/** `02:42` and the address, so that a node that comes back is known by the same MAC. */
export function underlayMacOf(internalIp: number): number {
  return 0x0242 * 2 ** 32 + internalIp;
}

/**
 * Of a further interface of a node on the network of the nodes, from 1: `02:43` and the node's address, and so on. So whoever
 * sends there knows whose it is.
 */
export function furtherMacOf(internalIp: number, number: number): number {
  return underlayMacOf(internalIp) + number * 2 ** 32;
}

/** The MAC of the first interface of the node that has this one. */
export function firstMacOf(macAddress: number): number {
  return underlayMacOf(macAddress % 2 ** 32);
}

/** Linux' ifindexes, one after the other. */
export function indexesFrom(first: number): () => number {
  let next = first;
  return () => next++;
}

/** Unicast, locally administered. */
export function randomMac(random: () => number): number {
  const mac = Math.floor(random() * 2 ** 40);
  return 0x02 * 2 ** 40 + mac;
}

/** `veth1a2b3c4d` */
export function vethName(random: () => number): string {
  const digits = Math.floor(random() * 2 ** 32).toString(16);
  return `veth${digits.padStart(8, '0')}`;
}
