/** DNS messages from anywhere, by the kept codec. */
import dnsPacket, { type DecodedPacket } from 'dns-packet';

/** What dns-packet decodes; its types leave the response code out. */
export type DecodedDns = DecodedPacket & { readonly rcode: string };

/** Undefined for malformed bytes, which anyone may send. */
export function decodeDns(bytes: Uint8Array): DecodedDns | undefined {
  let packet: DecodedPacket;
  try {
    packet = dnsPacket.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch (error) {
    // It throws RangeError or Error then.
    if (error instanceof Error) return undefined;
    throw error;
  }
  const rcode = 'rcode' in packet && typeof packet.rcode === 'string' ? packet.rcode : 'NOERROR';
  return { ...packet, rcode };
}
