/**
 * IPv4 and MAC addresses between text and the numbers the packet path works with.
 * An IPv4 address is an unsigned 32-bit number, a MAC address a number below 2^48; both exact in a double.
 */

export const ANY_ADDRESS = 0;
export const LIMITED_BROADCAST = 0xffff_ffff;
export const LOOPBACK_ADDRESS = 0x7f00_0001;

/** The number of a dotted quad without leading zeros (`10.244.1.5`); undefined for anything else. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    address = address * 256 + octet;
  }
  return address;
}

/** `10.244.1.5` for 0x0af40105. */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

export interface Ipv4Prefix {
  /** The address as written; host bits may be set (`10.244.1.5/24`). */
  readonly address: number;
  /** 0 to 32. */
  readonly prefixLength: number;
}

/** `10.244.1.0/24`; undefined for anything else. */
export function parseIpv4Prefix(text: string): Ipv4Prefix | undefined {
  const match = /^([0-9.]+)\/(0|[1-9]\d?)$/.exec(text);
  if (match === null) return undefined;
  const address = parseIpv4(match[1]!);
  const prefixLength = Number(match[2]);
  if (address === undefined || prefixLength > 32) return undefined;
  return { address, prefixLength };
}

/** The netmask of a prefix length: 0xffffff00 for 24. */
export function prefixMask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (0xffff_ffff << (32 - prefixLength)) >>> 0;
}

/** The network part of an address: 10.244.1.0 for 10.244.1.5 and 24. */
export function networkOf(address: number, prefixLength: number): number {
  return (address & prefixMask(prefixLength)) >>> 0;
}

/** The directed broadcast address of a network; the address itself for /31 and /32, which have none (RFC 3021). */
export function broadcastOf(address: number, prefixLength: number): number {
  return prefixLength >= 31 ? address : (address | ~prefixMask(prefixLength)) >>> 0;
}

/** 224.0.0.0/4. */
export function isMulticast(address: number): boolean {
  return address >>> 28 === 0xe;
}

/** 127.0.0.0/8. */
export function isLoopback(address: number): boolean {
  return address >>> 24 === 127;
}

/** The number of `0a:58:0a:f4:01:05`; undefined for anything else. */
export function parseMac(text: string): number | undefined {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) return undefined;
  return Number.parseInt(text.replaceAll(':', ''), 16);
}

/** `0a:58:0a:f4:01:05`. */
export function formatMac(mac: number): string {
  return mac
    .toString(16)
    .padStart(12, '0')
    .replace(/(..)(?=.)/g, '$1:');
}

/** A unicast, locally administered MAC that holds an IPv4 address: `0a:58` and its four octets, as CNI plugins make it. */
export function macOfIpv4(address: number): number {
  return 0x0a58 * 2 ** 32 + address;
}
