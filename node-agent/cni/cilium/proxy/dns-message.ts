/** DNS messages as the proxy reads them. */
import { decodeDns } from '../../../../shared/podnet/decode-dns.ts';
import { parseAddress } from '../../../../shared/wire/ip-address.ts';
import type { DnsMessage } from '../../../datapath/cilium/dns-gate.ts';

export function decodeDnsMessage(bytes: Uint8Array): DnsMessage | undefined {
  const packet = decodeDns(bytes);
  const [question, ...others] = packet?.questions ?? [];
  if (packet === undefined || question === undefined || others.length > 0) return undefined; // RFC 9619: rules are asked about one name
  return {
    isResponse: packet.type === 'response',
    rcode: packet.rcode,
    name: question.name,
    type: question.type,
    answers: (packet.answers ?? []).map((answer) => ({
      type: answer.type,
      ttlSeconds: 'ttl' in answer ? (answer.ttl ?? 0) : 0,
      ...(answer.type === 'A' || answer.type === 'AAAA' ? { address: parseAddress(answer.data) } : {}),
    })),
  };
}
