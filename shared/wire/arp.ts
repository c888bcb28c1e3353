/**
 * ARP for IPv4 over Ethernet (RFC 826).
 *
 *   0       2       4    5    6           8            14          18           24          28
 *   | htype | ptype | hl | pl | operation | sender MAC | sender IP | target MAC | target IP |
 */
import { writeMac } from './ethernet.ts';

export const PACKET_BYTES = 28;
export const REQUEST = 1;
export const REPLY = 2;

const OPERATION = 6;
const SENDER_MAC = 8;
const SENDER_IP = 14;
const TARGET_MAC = 18;
const TARGET_IP = 24;
const HARDWARE_AND_PROTOCOL = 0x0001_0800;
const ADDRESS_LENGTHS = 0x0604;
const TWO_32 = 2 ** 32;

/** Whether the bytes are an ARP packet for IPv4 over Ethernet; other hardware and protocols are refused. */
export function check(view: DataView, offset: number, length: number): boolean {
  return (
    length >= PACKET_BYTES &&
    offset + length <= view.byteLength &&
    view.getUint32(offset) === HARDWARE_AND_PROTOCOL &&
    view.getUint16(offset + 4) === ADDRESS_LENGTHS
  );
}

export function operation(view: DataView, offset: number): number {
  return view.getUint16(offset + OPERATION);
}

export function senderMac(view: DataView, offset: number): number {
  return view.getUint16(offset + SENDER_MAC) * TWO_32 + view.getUint32(offset + SENDER_MAC + 2);
}

export function senderIp(view: DataView, offset: number): number {
  return view.getUint32(offset + SENDER_IP);
}

export function targetMac(view: DataView, offset: number): number {
  return view.getUint16(offset + TARGET_MAC) * TWO_32 + view.getUint32(offset + TARGET_MAC + 2);
}

export function targetIp(view: DataView, offset: number): number {
  return view.getUint32(offset + TARGET_IP);
}

export function encode(
  view: DataView,
  offset: number,
  op: number,
  fromMac: number,
  fromIp: number,
  toMac: number,
  toIp: number,
): void {
  view.setUint32(offset, HARDWARE_AND_PROTOCOL);
  view.setUint16(offset + 4, ADDRESS_LENGTHS);
  view.setUint16(offset + OPERATION, op);
  writeMac(view, offset + SENDER_MAC, fromMac);
  view.setUint32(offset + SENDER_IP, fromIp);
  writeMac(view, offset + TARGET_MAC, toMac);
  view.setUint32(offset + TARGET_IP, toIp);
}
