/** Zones and server addresses: `cluster.local`, `.:53`, `dns://example.org:1053`, `10.0.0.0/24`. Names have no final dot. */
import { CorefileError, type Position } from './corefile.ts';
import { ipv6Bytes } from './ip-text.ts';

export interface ServerKey {
  /** Lower case; empty for the root. */
  readonly zone: string;
  readonly port: number;
}

export const DEFAULT_PORT = 53;

export function parseServerKey(key: string, position: Position): ServerKey[] {
  const scheme = /^([a-z]+):\/\//.exec(key)?.[1];
  if (scheme !== undefined && scheme !== 'dns') {
    throw new CorefileError(position, `'${scheme}://' is not served here: expected dns:// or none`);
  }
  const rest = key.replace(/^dns:\/\//, '');
  // The colons of an IPv6 network are not a port's.
  const match = /^([0-9a-f:]+\/\d+|.*?)(?::(\d+))?$/i.exec(rest);
  const port = match?.[2] === undefined ? DEFAULT_PORT : Number(match[2]);
  if (port > 65_535) throw new CorefileError(position, `'${key}' has the port ${port}: expected at most 65535`);
  return zonesOf(match?.[1] ?? '', position).map((zone) => ({ zone, port }));
}

/** A name is one zone; a network in CIDR form is the reverse zones that cover it. */
export function zonesOf(text: string, position: Position): string[] {
  if (text.includes(':')) return ipv6Zones(text, position);
  const network = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(text);
  if (network === null) {
    if (!/^[^\s/]*$/.test(text)) throw new CorefileError(position, `'${text}' is neither a zone nor a network`);
    return [plainName(text)];
  }
  const prefixLength = Number(network[5]);
  const octets = network.slice(1, 5).map(Number);
  if (prefixLength > 32 || octets.some((octet) => octet > 255)) {
    throw new CorefileError(position, `'${text}' is not a network such as 10.0.0.0/24`);
  }
  return reverseZones(octets, prefixLength);
}

/** `fd00:10::/32`, to a whole nibble as `ip6.arpa` has them. */
function ipv6Zones(text: string, position: Position): string[] {
  const [address = '', length = ''] = text.split('/');
  const bytes = ipv6Bytes(address);
  const prefixLength = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (bytes === undefined || !(prefixLength <= 128)) {
    throw new CorefileError(position, `'${text}' is not a network such as fd00:10::/32`);
  }
  const nibbles = [...Buffer.from(bytes).toString('hex')];
  const whole = Math.floor(prefixLength / 4);
  const count = 2 ** ((4 - (prefixLength % 4)) % 4);
  const parents = [...nibbles.slice(0, whole).reverse(), 'ip6.arpa'];
  if (count === 1) return [parents.join('.')];
  const first = Number.parseInt(nibbles[whole] ?? '0', 16) & ~(count - 1);
  return Array.from({ length: count }, (_, index) => [(first + index).toString(16), ...parents].join('.'));
}

function reverseZones(octets: readonly number[], prefixLength: number): string[] {
  const whole = Math.floor(prefixLength / 8);
  const rest = prefixLength % 8;
  const parents = octets.slice(0, whole).reverse();
  if (rest === 0) return [[...parents, 'in-addr.arpa'].join('.')];
  const count = 2 ** (8 - rest);
  const first = (octets[whole] ?? 0) - ((octets[whole] ?? 0) % count);
  return Array.from({ length: count }, (_, index) => [first + index, ...parents, 'in-addr.arpa'].join('.'));
}

/** Lower case, without the final dot. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

export function isInZone(name: string, zone: string): boolean {
  return zone === '' || name === zone || name.endsWith(`.${zone}`);
}

/** The longest of the zones that holds the name. */
export function matchingZone(name: string, zones: readonly string[]): string | undefined {
  let best: string | undefined;
  for (const zone of zones) {
    if (isInZone(name, zone) && (best === undefined || zone.length > best.length)) best = zone;
  }
  return best;
}

/** The address that a reverse name asks for (`5.1.244.10.in-addr.arpa`); undefined for other names. */
export function addressOfReverse(name: string): string | undefined {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  if (v4 !== null) {
    const octets = v4.slice(1, 5).reverse().map(Number);
    return octets.every((octet) => octet <= 255) ? octets.join('.') : undefined;
  }
  if (!/^([0-9a-f]\.){32}ip6\.arpa$/.test(name)) return undefined;
  const nibbles = name.slice(0, 63).split('.').reverse().join('');
  return (nibbles.match(/.{4}/g) ?? []).join(':');
}
