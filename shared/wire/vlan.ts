/**
 * VLAN tag (IEEE 802.1Q), between the source address and the type of an Ethernet frame; a bridge passes it on untouched.
 *
 *   0 (frame offset 12)  2                        4
 *   | TPID 0x8100        | PCP:3 DEI:1 VID:12     | type | payload ...
 *
 * Offsets here are those of the TPID. Tags may be stacked (IEEE 802.1ad: the outer TPID is 0x88a8).
 */
import * as ethernet from './ethernet.ts';

export const TAG_BYTES = 4;
export const TYPE_SERVICE_TAG = 0x88a8;
export const MAX_ID = 0xfff;

const CONTROL = 2;
const DROP_ELIGIBLE = 0x1000;

/** A type field that announces a tag. */
export function isTag(etherType: number): boolean {
  return etherType === ethernet.TYPE_VLAN || etherType === TYPE_SERVICE_TAG;
}

/** Whether the `length` bytes from the TPID on hold a tag and the type after it. */
export function check(view: DataView, offset: number, length: number): boolean {
  return length >= TAG_BYTES + 2 && offset + length <= view.byteLength && isTag(view.getUint16(offset));
}

/** VID; 0 is a priority tag without a VLAN. */
export function id(view: DataView, offset: number): number {
  return view.getUint16(offset + CONTROL) & MAX_ID;
}

/** PCP, 0 to 7. */
export function priority(view: DataView, offset: number): number {
  return view.getUint16(offset + CONTROL) >>> 13;
}

/** DEI. */
export function dropEligible(view: DataView, offset: number): boolean {
  return (view.getUint16(offset + CONTROL) & DROP_ELIGIBLE) !== 0;
}

/** Type of what follows: another tag's TPID, or the payload's. */
export function innerType(view: DataView, offset: number): number {
  return view.getUint16(offset + TAG_BYTES);
}

/** Writes the tag; the type of the payload, which stands behind it, stays as it is. */
export function encode(
  view: DataView,
  offset: number,
  vlanId: number,
  pcp = 0,
  dei = false,
  tpid: number = ethernet.TYPE_VLAN,
): void {
  view.setUint16(offset, tpid);
  view.setUint16(offset + CONTROL, (pcp << 13) | (dei ? DROP_ELIGIBLE : 0) | vlanId);
}
