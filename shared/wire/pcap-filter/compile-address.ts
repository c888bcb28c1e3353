/** Tests of addresses and ports: MAC, IPv4 (with ARP), IPv6, TCP and UDP. */
import { isMulticast } from '../address.ts';
import * as arp from '../arp.ts';
import * as ethernet from '../ethernet.ts';
import * as ipv4 from '../ipv4.ts';
import { ETHERTYPES } from './names.ts';
import type { PacketLayers } from './packet-layers.ts';
import type { Direction, Primitive } from './syntax.ts';

type Test = () => boolean;
type AddressPrimitive = Extract<Primitive, { kind: 'net' | 'net6' | 'mac' | 'port' | 'group' }>;

const IPV6_SOURCE = 8;
const IPV6_DESTINATION = 24;

export function compileAddress(primitive: AddressPrimitive, layers: PacketLayers): Test {
  switch (primitive.kind) {
    case 'net':
      return compileNet(primitive, layers);
    case 'net6':
      return compileNet6(primitive, layers);
    case 'mac': {
      const { address } = primitive;
      const source = () => ethernet.source(layers.view, layers.link) === address;
      const destination = () => ethernet.destination(layers.view, layers.link) === address;
      const matches = either(primitive.direction, source, destination);
      return () => layers.link >= 0 && matches();
    }
    case 'port':
      return compilePort(primitive, layers);
    case 'group':
      return compileGroup(primitive, layers);
  }
}

function either(direction: Direction, source: Test, destination: Test): Test {
  switch (direction) {
    case 'src':
      return source;
    case 'dst':
      return destination;
    case 'src or dst':
      return () => source() || destination();
    case 'src and dst':
      return () => source() && destination();
  }
}

/** Sender and target of an ARP packet count as source and destination. */
function compileNet(net: Extract<Primitive, { kind: 'net' }>, layers: PacketLayers): Test {
  const { address, mask, within } = net;
  const inNet = (candidate: number): boolean => (candidate & mask) === (address & mask);
  const ofIp = either(
    net.direction,
    () => inNet(ipv4.source(layers.view, layers.network)),
    () => inNet(ipv4.destination(layers.view, layers.network)),
  );
  const ofArp = either(
    net.direction,
    () => inNet(arp.senderIp(layers.view, layers.network)),
    () => inNet(arp.targetIp(layers.view, layers.network)),
  );
  return () => {
    if (layers.ipVersion === 4) return (within === undefined || within === 'ip') && ofIp();
    const { etherType, network, end } = layers;
    const isArp = etherType === ethernet.TYPE_ARP && (within === undefined || within === 'arp');
    const isRarp = etherType === ETHERTYPES.rarp && (within === undefined || within === 'rarp');
    return (isArp || isRarp) && network + arp.PACKET_BYTES <= end && ofArp();
  };
}

function compileNet6(net: Extract<Primitive, { kind: 'net6' }>, layers: PacketLayers): Test {
  const { address, mask } = net;
  const at = (field: number) => (): boolean =>
    address.every((word, i) => ((layers.view.getUint32(layers.network + field + 4 * i) ^ word) & mask[i]!) === 0);
  const matches = either(net.direction, at(IPV6_SOURCE), at(IPV6_DESTINATION));
  return () => layers.ipVersion === 6 && matches();
}

function compilePort(port: Extract<Primitive, { kind: 'port' }>, layers: PacketLayers): Test {
  const { first, last, transports } = port;
  const inRange = (candidate: number): boolean => candidate >= first && candidate <= last;
  const matches = either(
    port.direction,
    () => inRange(layers.view.getUint16(layers.transport)),
    () => inRange(layers.view.getUint16(layers.transport + 2)),
  );
  return () =>
    layers.transport >= 0 && layers.transport + 4 <= layers.end && transports.includes(layers.ipProtocol) && matches();
}

function compileGroup({ layer, what }: Extract<Primitive, { kind: 'group' }>, layers: PacketLayers): Test {
  switch (layer) {
    case 'ether':
      return etherGroup(what, layers);
    case 'ip':
      return ipGroup(what, layers);
    case 'ip6':
      return () => layers.ipVersion === 6 && layers.view.getUint8(layers.network + IPV6_DESTINATION) === 0xff;
  }
}

function etherGroup(what: 'broadcast' | 'multicast', layers: PacketLayers): Test {
  return () => {
    if (layers.link < 0) return false;
    const destination = ethernet.destination(layers.view, layers.link);
    return what === 'broadcast' ? destination === ethernet.BROADCAST : ethernet.isGroup(destination);
  };
}

/** The all-ones and all-zeros broadcasts; a network's own broadcast address depends on a netmask that a filter does not know. */
function ipGroup(what: 'broadcast' | 'multicast', layers: PacketLayers): Test {
  return () => {
    if (layers.ipVersion !== 4) return false;
    const destination = ipv4.destination(layers.view, layers.network);
    return what === 'broadcast' ? destination === 0xffff_ffff || destination === 0 : isMulticast(destination);
  };
}
