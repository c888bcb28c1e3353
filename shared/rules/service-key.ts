/** What a Service's tables are asked by: address, protocol and port as one exact number. */
export type ServiceProtocol = 'tcp' | 'udp';

const TCP = 6;
const UDP = 17;
const PORTS = 0x1_0000;

/** `protocol` is IANA's number; the key of a packet that is neither TCP nor UDP is -1, which nothing has. */
export function serviceKey(address: number, protocol: number, port: number): number {
  if (protocol !== TCP && protocol !== UDP) return -1;
  return ((address >>> 0) * 2 + (protocol === UDP ? 1 : 0)) * PORTS + port;
}

export function protocolNumber(protocol: ServiceProtocol): number {
  return protocol === 'udp' ? UDP : TCP;
}
