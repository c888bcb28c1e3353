/**
 * What is beyond the nodes: the router of their network (192.168.1.1) and all that lies behind it, as one host. Each node has
 * an end of it to itself, plugged into its eth0; what enters there reaches the node as an external client's packets do.
 *
 *   program on the machine -> real socket -> outside host -> eth0 of the node -> PREROUTING: NodePort, LoadBalancer -> pod
 */
import type { Engine } from '../../shared/netstack/engine.ts';
import { Host } from '../../shared/netstack/host.ts';
import { createVethPair } from '../../shared/netstack/veth.ts';
import type { PacketMemory } from '../../shared/wire/packet-memory.ts';
import { underlayMacOf } from './device-identity.ts';
import type { NodeDatapath } from './path.ts';

/** In the outside host `lo` is 1. */
const DEVICE_INDEX = 2;
const HOST_PREFIX_LENGTH = 32;

export interface OutsideOptions {
  readonly engine: Engine;
  readonly memory: PacketMemory;
  readonly datapath: NodeDatapath;
  readonly secret: Uint8Array;
}

/** The host at the other end of the node's uplink: 192.168.1.1, which routes everything to this node. */
export function connectOutside({ engine, memory, datapath, secret }: OutsideOptions): Host {
  const { eth0, internalIp, gateway } = datapath;
  const macAddress = underlayMacOf(gateway);
  const { mtuBytes } = eth0;
  const [nodeEnd, outsideEnd] = createVethPair(
    engine,
    memory,
    { name: 'uplink', index: DEVICE_INDEX, macAddress: 0, mtuBytes },
    { name: 'eth0', index: DEVICE_INDEX, macAddress, mtuBytes },
  );
  const host = new Host({ engine, memory, name: 'outside', observer: datapath.drops.of('outside'), secret });
  host.addDevice(outsideEnd);
  // Everything goes to the node, LoadBalancer addresses of its network too: nobody would answer ARP for those.
  host.addAddress(outsideEnd, gateway, HOST_PREFIX_LENGTH);
  host.routes.add({ destination: 0, prefixLength: 0, gateway: internalIp, device: outsideEnd, onLink: true });
  eth0.plugUplink(nodeEnd, macAddress);
  return host;
}
