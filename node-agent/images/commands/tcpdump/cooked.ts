/**
 * Linux cooked capture v2 (LINKTYPE_LINUX_SLL2): what `-i any` writes and prints in place of the Ethernet header.
 *
 *   0          2          4         8          10            11             12
 *   | protocol | reserved | ifindex | ARPHRD   | packet type | address size | address (8)
 */
import * as ethernet from '../../../../shared/wire/ethernet.ts';

export const HEADER_BYTES = 20;

const ARPHRD_ETHERNET = 1;
const ARPHRD_LOOPBACK = 772;
const MAC_BYTES = 6;

/** As packet(7) has them. */
export const TYPES = ['In', 'B', 'M', 'P', 'Out'] as const;
export type PacketType = (typeof TYPES)[number];

export interface CookedHeader {
  readonly deviceIndex: number;
  readonly type: PacketType;
  readonly mac: number;
  readonly etherType: number;
}

/** What a frame's direction and destination make of it. */
export function packetType(outbound: boolean, destination: number): PacketType {
  if (outbound) return 'Out';
  if (destination === ethernet.BROADCAST) return 'B';
  return ethernet.isGroup(destination) ? 'M' : 'In';
}

/** The frame with a cooked header in the place of its own. */
export function cook(frame: Uint8Array, header: CookedHeader, isLoopback: boolean): Uint8Array {
  const payload = frame.subarray(ethernet.HEADER_BYTES);
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, header.etherType);
  view.setUint32(4, header.deviceIndex);
  view.setUint16(8, isLoopback ? ARPHRD_LOOPBACK : ARPHRD_ETHERNET);
  view.setUint8(10, TYPES.indexOf(header.type));
  view.setUint8(11, MAC_BYTES);
  ethernet.writeMac(view, 12, header.mac);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** The header, and the packet under an Ethernet header without a destination, as filters and printers take it. */
export function uncook(bytes: Uint8Array): { readonly header: CookedHeader; readonly frame: Uint8Array } | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const header: CookedHeader = {
    etherType: view.getUint16(0),
    deviceIndex: view.getUint32(4),
    type: TYPES[view.getUint8(10)] ?? 'In',
    mac: ethernet.destination(view, 12),
  };
  const payload = bytes.subarray(HEADER_BYTES);
  const frame = new Uint8Array(ethernet.HEADER_BYTES + payload.length);
  ethernet.encode(new DataView(frame.buffer), 0, 0, header.mac, header.etherType);
  frame.set(payload, ethernet.HEADER_BYTES);
  return { header, frame };
}
