/** IPv4 blocks inside a block: the arithmetic of node IPAM. */
export interface Cidr {
  /** uint32, host bits zero. */
  readonly base: number;
  readonly prefixLength: number;
}

/** Throws RangeError with the text when it is not `a.b.c.d/n`. */
export function parseCidr(text: string): Cidr {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  const octets = match?.slice(1, 5).map(Number) ?? [];
  const prefixLength = Number(match?.[5] ?? 33);
  if (octets.length !== 4 || octets.some((octet) => octet > 255) || prefixLength > 32) {
    throw new RangeError(`'${text}' is not an IPv4 block such as 10.244.0.0/16`);
  }
  const address = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  return { base: address - (address % 2 ** (32 - prefixLength)), prefixLength };
}

/** How many blocks of `maskSize` the cluster's block holds. */
export function blockCount(cluster: Cidr, maskSize: number): number {
  return maskSize < cluster.prefixLength ? 0 : 2 ** (maskSize - cluster.prefixLength);
}

export function blockAt(cluster: Cidr, index: number, maskSize: number): string {
  const base = cluster.base + index * 2 ** (32 - maskSize);
  return `${[24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join('.')}/${maskSize}`;
}

/** Which block a text names; undefined when it lies outside or has another size. */
export function blockIndex(cluster: Cidr, text: string, maskSize: number): number | undefined {
  const block = parseCidr(text);
  const index = (block.base - cluster.base) / 2 ** (32 - maskSize);
  const inside = block.prefixLength === maskSize && index >= 0 && index < blockCount(cluster, maskSize);
  return inside ? index : undefined;
}
