/** DNS messages as the proxy reads them, by the kept codec. */
import dnsPacket, { type DecodedPacket } from 'dns-packet';
import { parseAddress } from '../../../../shared/wire/ip-address.ts';
import type { DnsMessage } from '../../../datapath/cilium/dns-gate.ts';

export function decodeDnsMessage(bytes: Uint8Array): DnsMessage | undefined {
  let packet: DecodedPacket;
  try {
    packet = dnsPacket.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch (error) {
    // RangeError or Error on malformed bytes, which anyone may send.
    if (error instanceof Error) return undefined;
    throw error;
  }
  const [question, ...others] = packet.questions ?? [];
  if (question === undefined || others.length > 0) return undefined; // RFC 9619: rules are asked about one name
  // Its types leave the response code out.
  const rcode = 'rcode' in packet && typeof packet.rcode === 'string' ? packet.rcode : 'NOERROR';
  return {
    isResponse: packet.type === 'response',
    rcode,
    name: question.name,
    type: question.type,
    answers: (packet.answers ?? []).map((answer) => ({
      type: answer.type,
      ttlSeconds: 'ttl' in answer ? (answer.ttl ?? 0) : 0,
      ...(answer.type === 'A' || answer.type === 'AAAA' ? { address: parseAddress(answer.data) } : {}),
    })),
  };
}
