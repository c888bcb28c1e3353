/** IPv6 addresses (RFC 4291) between text (RFC 5952), bytes and the numbers of `ipv6-table.ts`. */
import { formatIpv4, parseIpv4 } from './address.ts';
import { ipv6Table } from './ipv6-table.ts';

/** `::`, a socket's "any": IPv4 too, unless the socket says otherwise. */
export const ANY_IPV6 = ipv6Table.pin(0, 0, 0, 0);
/** `::1` */
export const LOOPBACK_IPV6 = ipv6Table.pin(0, 0, 0, 1);
/** `ff02::1` */
export const ALL_NODES = ipv6Table.pin(0xff02_0000, 0, 0, 1);
/** `ff02::2` */
export const ALL_ROUTERS = ipv6Table.pin(0xff02_0000, 0, 0, 2);

/** `::ffff:0:0/96`: an IPv4 address as an IPv6 socket sees it (RFC 4291 section 2.5.5.2). */
const MAPPED_WORD = 0xffff;
const GROUPS = 8;

/** The number of an address in any of RFC 4291's text forms, without a zone; undefined for anything else. */
export function parseIpv6(text: string): number | undefined {
  const words = parseIpv6Words(text);
  return words === undefined ? undefined : ipv6Table.intern(words[0], words[1], words[2], words[3]);
}

/** The same as four words in network order, unsigned, without a place in the table. */
export function parseIpv6Words(text: string): [number, number, number, number] | undefined {
  const groups = groupsOf(text);
  if (groups === undefined) return undefined;
  const word = (at: number): number => ((groups[at]! << 16) | groups[at + 1]!) >>> 0;
  return [word(0), word(2), word(4), word(6)];
}

function groupsOf(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupList(halves[0]!, halves.length === 1);
  if (halves.length === 1) return head?.length === GROUPS ? head : undefined;
  const tail = groupList(halves[1]!, true);
  if (head === undefined || tail === undefined || head.length + tail.length >= GROUPS) return undefined;
  return [...head, ...new Array<number>(GROUPS - head.length - tail.length).fill(0), ...tail];
}

/** `isLast`: the text's last 32 bits may stand as a dotted quad. */
function groupList(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (isLast && index === parts.length - 1 && part.includes('.')) {
      const quad = parseIpv4(part);
      if (quad === undefined) return undefined;
      groups.push(quad >>> 16, quad & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two zero groups or more as `::`. */
export function formatIpv6(address: number): string {
  const mapped = mappedIpv4(address);
  if (mapped !== undefined) return `::ffff:${formatIpv4(mapped)}`;
  const groups: number[] = [];
  for (let i = 0; i < 4; i++) {
    const word = ipv6Table.word(address, i);
    groups.push(word >>> 16, word & 0xffff);
  }
  const [start, length] = longestZeroRun(groups);
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best[1]) best = [start, index + 1 - start];
  }
  return best;
}

/** The IPv4 address of `::ffff:10.244.1.5`; undefined for any other address. */
export function mappedIpv4(address: number): number | undefined {
  if (wordOf(address, 0) !== 0 || wordOf(address, 1) !== 0 || wordOf(address, 2) !== MAPPED_WORD) return undefined;
  return wordOf(address, 3) >>> 0;
}

/** `::ffff:10.244.1.5` for 10.244.1.5. */
export function mapIpv4(address: number): number {
  return ipv6Table.intern(0, 0, MAPPED_WORD, address);
}

/** The network part of an address, interned; 0 to 128. */
export function ipv6NetworkOf(address: number, prefixLength: number): number {
  const part = (index: number): number => wordOf(address, index) & ipv6MaskWord(prefixLength, index);
  return ipv6Table.intern(part(0), part(1), part(2), part(3));
}

/** The same, but `NO_ADDRESS` for a network that the table does not know, so that look-ups leave nothing behind. */
export function findIpv6NetworkOf(address: number, prefixLength: number): number {
  return ipv6Table.find(
    ipv6Table.word(address, 0) & ipv6MaskWord(prefixLength, 0),
    ipv6Table.word(address, 1) & ipv6MaskWord(prefixLength, 1),
    ipv6Table.word(address, 2) & ipv6MaskWord(prefixLength, 2),
    ipv6Table.word(address, 3) & ipv6MaskWord(prefixLength, 3),
  );
}

/** Word 0 to 3 of the netmask of a prefix length, signed. */
export function ipv6MaskWord(prefixLength: number, index: number): number {
  const bits = prefixLength - 32 * index;
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}

/** An address so many places after another, for gateways (`.1` of a network) and allocation. */
export function ipv6Plus(address: number, offset: number): number {
  const low = (wordOf(address, 3) >>> 0) + offset;
  const carry = low >= 2 ** 32 ? 1 : 0;
  return ipv6Table.intern(wordOf(address, 0), wordOf(address, 1), wordOf(address, 2) + carry, low | 0);
}

/** ff00::/8 */
export function isIpv6Multicast(address: number): boolean {
  return ipv6Table.word(address, 0) >>> 24 === 0xff;
}

/** fe80::/10 */
export function isLinkLocal(address: number): boolean {
  return ipv6Table.word(address, 0) >>> 22 === 0xfe80 >>> 6;
}

/** The group whoever has the address listens on for neighbour solicitations: ff02::1:ff00:0/104 (RFC 4291 section 2.7.1). */
export function solicitedNodeOf(address: number): number {
  return ipv6Table.intern(0xff02_0000, 0, 1, 0xff00_0000 | (ipv6Table.word(address, 3) & 0xff_ffff));
}

/** The MAC of a multicast group (RFC 2464 section 7). */
export function multicastMacOf(group: number): number {
  return 0x3333 * 2 ** 32 + (ipv6Table.word(group, 3) >>> 0);
}

/** The link-local address a device gives itself: fe80::/64 and its MAC as EUI-64 (RFC 4291 appendix A). */
export function linkLocalOf(mac: number): number {
  const high = Math.floor(mac / 2 ** 24) ^ 0x02_0000;
  const low = mac % 2 ** 24;
  return ipv6Table.intern(0xfe80_0000, 0, (high << 8) | 0xff, 0xfe00_0000 | low);
}

/** The 16 bytes of an address, as they stand in packets. */
export function readIpv6(view: DataView, offset: number): number {
  return ipv6Table.intern(
    view.getInt32(offset),
    view.getInt32(offset + 4),
    view.getInt32(offset + 8),
    view.getInt32(offset + 12),
  );
}

export function writeIpv6(view: DataView, offset: number, address: number): void {
  for (let i = 0; i < 4; i++) view.setInt32(offset + 4 * i, ipv6Table.word(address, i));
}

function wordOf(address: number, index: number): number {
  return ipv6Table.word(address, index);
}
