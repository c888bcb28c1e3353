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

export function unreachableSentence(code: number, mtuBytes: number | undefined): string {
  const sentence = SENTENCES[code] ?? `Dest Unreachable, Bad Code: ${code}`;
  return code === FRAGMENTATION_NEEDED ? `${sentence} (mtu = ${mtuBytes ?? 0})` : sentence;
}
