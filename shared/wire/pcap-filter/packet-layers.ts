/** Where the headers of a captured frame stand. Frames may be cut off or malformed: what is not there is -1. */
import * as ethernet from '../ethernet.ts';
import * as geneve from '../geneve.ts';
import * as ipv4 from '../ipv4.ts';
import * as udp from '../udp.ts';
import * as vlan from '../vlan.ts';
import * as vxlan from '../vxlan.ts';
import { UDP } from './names.ts';

const IPV6_HEADER_BYTES = 40;
const IPV6_NEXT_HEADER = 6;

/** One object is reused for every packet. */
export class PacketLayers {
  view!: DataView;
  /** After the last byte that was captured. */
  end = 0;
  /** Of the Ethernet header. */
  link = -1;
  etherType = -1;
  /** After the Ethernet header and its tags. */
  network = -1;
  /** 4 or 6; 0 for anything else. */
  ipVersion = 0;
  ipProtocol = -1;
  /** -1 for anything but IP, and for every fragment but the first. */
  transport = -1;

  /** A frame of `length` bytes at `offset`. */
  readFrame(view: DataView, offset: number, length: number): void {
    this.view = view;
    this.end = offset + length;
    this.link = -1;
    this.readNetwork(-1, -1);
    if (!ethernet.check(view, offset, length)) return;
    this.link = offset;
    this.readNetwork(ethernet.type(view, offset), offset + ethernet.HEADER_BYTES);
  }

  /** Goes into the tag or tunnel: whether `outer` has one (of this identifier, if one is given); else it is the same again. */
  readInside(outer: PacketLayers, what: 'vlan' | 'vxlan' | 'geneve', id: number | undefined): boolean {
    this.copy(outer);
    if (what === 'vlan') return this.readTagged(outer, id);
    return what === 'vxlan' ? this.readVxlan(outer, id) : this.readGeneve(outer, id);
  }

  private copy(other: PacketLayers): void {
    this.view = other.view;
    this.end = other.end;
    this.link = other.link;
    this.etherType = other.etherType;
    this.network = other.network;
    this.ipVersion = other.ipVersion;
    this.ipProtocol = other.ipProtocol;
    this.transport = other.transport;
  }

  private readTagged({ view, network, end, etherType }: PacketLayers, id: number | undefined): boolean {
    const tag = network - 2;
    if (!vlan.isTag(etherType) || !vlan.check(view, tag, end - tag)) return false;
    if (id !== undefined && vlan.id(view, tag) !== id) return false;
    this.readNetwork(vlan.innerType(view, tag), tag + vlan.TAG_BYTES + 2);
    return true;
  }

  private readVxlan(outer: PacketLayers, vni: number | undefined): boolean {
    const { view, end } = outer;
    const at = outer.payloadOfUdpTo(vxlan.PORT);
    if (at < 0 || !vxlan.check(view, at, end - at) || (vni !== undefined && vxlan.vni(view, at) !== vni)) return false;
    this.readFrame(view, at + vxlan.HEADER_BYTES, end - at - vxlan.HEADER_BYTES);
    return true;
  }

  private readGeneve(outer: PacketLayers, vni: number | undefined): boolean {
    const { view, end } = outer;
    const at = outer.payloadOfUdpTo(geneve.PORT);
    if (at < 0 || !geneve.check(view, at, end - at) || (vni !== undefined && geneve.vni(view, at) !== vni))
      return false;
    const inner = at + geneve.headerBytes(view, at);
    if (geneve.type(view, at) === geneve.TYPE_ETHERNET) this.readFrame(view, inner, end - inner);
    else this.readNetwork(geneve.type(view, at), inner);
    return true;
  }

  private payloadOfUdpTo(port: number): number {
    const { view, transport, end } = this;
    if (this.ipProtocol !== UDP || transport < 0 || transport + udp.HEADER_BYTES > end) return -1;
    return udp.destinationPort(view, transport) === port ? transport + udp.HEADER_BYTES : -1;
  }

  private readNetwork(etherType: number, offset: number): void {
    this.etherType = etherType;
    this.network = offset;
    this.ipVersion = 0;
    this.ipProtocol = -1;
    this.transport = -1;
    if (etherType === ethernet.TYPE_IPV4) this.readIpv4(offset);
    else if (etherType === ethernet.TYPE_IPV6) this.readIpv6(offset);
  }

  private readIpv4(at: number): void {
    const { view, end } = this;
    if (at + ipv4.HEADER_BYTES > end || view.getUint8(at) >>> 4 !== 4) return;
    this.ipVersion = 4;
    this.ipProtocol = ipv4.protocol(view, at);
    if (ipv4.fragmentOffset(view, at) === 0)
      this.transport = at + Math.max(ipv4.HEADER_BYTES, ipv4.headerBytes(view, at));
  }

  private readIpv6(at: number): void {
    const { view, end } = this;
    if (at + IPV6_HEADER_BYTES > end || view.getUint8(at) >>> 4 !== 6) return;
    this.ipVersion = 6;
    this.ipProtocol = view.getUint8(at + IPV6_NEXT_HEADER);
    this.transport = at + IPV6_HEADER_BYTES;
  }
}
