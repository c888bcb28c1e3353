/** iputils' sentences for the codes of "destination unreachable" (RFC 792, RFC 1812 section 5.2.7.1). */

const SENTENCES: readonly string[] = [
  'Destination Net Unreachable',
  'Destination Host Unreachable',
  'Destination Protocol Unreachable',
  'Destination Port Unreachable',
  'Frag needed and DF set',
  'Source Route Failed',
  'Destination Net Unknown',
  'Destination Host Unknown',
  'Source Host Isolated',
  'Destination Net Prohibited',
  'Destination Host Prohibited',
  'Destination Net Unreachable for Type of Service',
  'Destination Host Unreachable for Type of Service',
  'Packet filtered',
  'Precedence Violation',
  'Precedence Cutoff',
];

export const FRAGMENTATION_NEEDED = 4;

/** Of ICMPv6 (RFC 4443), by the codes of ICMP that the stack tells them by. */
const SENTENCES_IPV6: Readonly<Record<number, string>> = {
  0: 'No route',
  1: 'Address unreachable',
  3: 'Port unreachable',
  13: 'Administratively prohibited',
};

interface Unreachable {
  readonly code: number;
  readonly mtuBytes?: number;
}

export function unreachableSentence({ code, mtuBytes }: Unreachable, family: 4 | 6): string {
  if (family === 6) {
    if (code === FRAGMENTATION_NEEDED) return `Packet too big: mtu=${mtuBytes ?? 0}`;
    return `Destination unreachable: ${SENTENCES_IPV6[code] ?? `Unknown code ${code}`}`;
  }
  const sentence = SENTENCES[code] ?? `Dest Unreachable, Bad Code: ${code}`;
  return code === FRAGMENTATION_NEEDED ? `${sentence} (mtu = ${mtuBytes ?? 0})` : sentence;
}
