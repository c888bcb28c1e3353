/** From what a user names (another node, a pod, a device) to the place on this node where its packets pass. */
import type { QueueDiscipline, QueuedDevice } from '../../../shared/netstack/device.ts';
import type { VethDevice } from '../../../shared/netstack/veth.ts';
import type { FaultTarget } from '../../../shared/rules/link-fault.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';
import type { PeerId } from '../link.ts';
import type { PodAttachment } from '../pod-attachment.ts';
import type { FaultyLink } from './faulty-link.ts';
import { CARD, datagrams, FRAMES } from './framing.ts';
import { type AttachPoint, LinkFaultError } from './link-faults.ts';

/** A device with another node at its other end. */
export interface TunnelPlace extends QueuedDevice {
  /** Before what arrives; its output is `receive`. */
  ingress: QueueDiscipline | null;
  receive(frame: Packet): void;
}

/** What passes the nodes' card beside its own frames: what overlays send. */
export interface CarriedOverlay {
  egress: QueueDiscipline | null;
  ingress: QueueDiscipline | null;
  sendQueued(datagram: Packet): void;
  receiveQueued(datagram: Packet): void;
}

/** What a node has where faults can be. */
export interface FaultPlaces {
  readonly nodeName: string;
  readonly memory: PacketMemory;
  readonly link: FaultyLink;
  /** By node name; undefined when it is not known. */
  readonly peerId: (nodeName: string) => PeerId | undefined;
  readonly peerNames: () => readonly string[];
  readonly pods: ReadonlyMap<string, PodAttachment>;
  readonly tunnels: readonly TunnelPlace[];
  /** The one of them that carries the overlay. */
  readonly card: TunnelPlace;
  readonly overlay: CarriedOverlay;
}

export function attachPoint(places: FaultPlaces, target: FaultTarget): AttachPoint {
  switch (target.kind) {
    case 'peer':
      return peerPoint(places, target.node);
    case 'pod':
      return podPoint(places, `${target.namespace}/${target.pod}`, target.direction === 'to');
    case 'device':
      return devicePoint(places, target.device, target.direction === 'to');
  }
}

export function peerKey(nodeName: string): string {
  return `peer ${nodeName}`;
}

export function deviceKeys({ hostDevice }: PodAttachment): readonly string[] {
  return [wireKey(hostDevice.name, true), wireKey(hostDevice.name, false)];
}

function wireKey(deviceName: string, outwards: boolean): string {
  return `${deviceName} ${outwards ? 'out' : 'in'}`;
}

function peerPoint({ nodeName, memory, link, peerId, peerNames }: FaultPlaces, to: string): AttachPoint {
  if (peerId(to) === undefined) {
    const known = peerNames();
    const others = known.length === 0 ? 'no other node' : known.join(', ');
    throw new LinkFaultError(`${nodeName} knows no node '${to}': it knows ${others}`);
  }
  // Looked up each time: the peer has a new number when its endpoint changes.
  const withPeer = (use: (peer: PeerId) => void): void => {
    const peer = peerId(to);
    if (peer !== undefined) use(peer);
  };
  return {
    key: peerKey(to),
    from: nodeName,
    to,
    framing: datagrams(memory),
    attach: (queue) => withPeer((peer) => link.setQueue(peer, queue ?? undefined)),
    output: (packets) => withPeer((peer) => link.sendPast(peer, packets)),
  };
}

function podPoint({ nodeName, pods }: FaultPlaces, pod: string, toPod: boolean): AttachPoint {
  const attachment = pods.get(pod);
  if (attachment === undefined) {
    throw new LinkFaultError(
      `${nodeName} has no pod ${pod} with a network of its own: kubectl get pods -A -o wide shows where pods run`,
    );
  }
  const [from, to] = toPod ? [nodeName, pod] : [pod, nodeName];
  return { ...vethPoint(attachment, toPod), from, to };
}

function devicePoint(places: FaultPlaces, name: string, outwards: boolean): AttachPoint {
  const { nodeName, pods, tunnels, card, overlay } = places;
  const device = `${nodeName}:${name}`;
  const [from, to] = outwards ? [nodeName, device] : [device, nodeName];
  const attachments = [...pods.values()];
  const veth = attachments.find(({ hostDevice }) => hostDevice.name === name);
  if (veth !== undefined) return { ...vethPoint(veth, outwards), from, to };
  if (name === card.name) return { ...cardPoint(card, overlay, outwards), from, to };
  const tunnel = tunnels.find((candidate) => candidate.name === name);
  if (tunnel !== undefined) return { ...tunnelPoint(tunnel, outwards), from, to };
  const names = [...tunnels, ...attachments.map(({ hostDevice }) => hostDevice)].map((each) => each.name);
  throw new LinkFaultError(`${nodeName} has no device '${name}' that can have faults: it has ${names.join(', ')}`);
}

type UnnamedPoint = Omit<AttachPoint, 'from' | 'to'>;

/** Outwards of the node's end is towards the pod; the other direction is what the pod's end sends. */
function vethPoint({ hostDevice, podDevice }: PodAttachment, toPod: boolean): UnnamedPoint {
  const sender: VethDevice = toPod ? hostDevice : podDevice;
  return egressPoint(wireKey(hostDevice.name, toPod), sender);
}

function tunnelPoint(tunnel: TunnelPlace, outwards: boolean): UnnamedPoint {
  const key = wireKey(tunnel.name, outwards);
  if (outwards) return egressPoint(key, tunnel);
  return {
    key,
    framing: FRAMES,
    attach: (queue) => {
      tunnel.ingress = queue;
    },
    output: (packets) => {
      for (const packet of packets) tunnel.receive(packet);
    },
  };
}

/** In life an overlay's datagrams pass the card's own queue, so they do here. */
function cardPoint(card: TunnelPlace, overlay: CarriedOverlay, outwards: boolean): UnnamedPoint {
  const own = tunnelPoint(card, outwards);
  return {
    key: own.key,
    framing: CARD,
    attach: (queue) => {
      card[outwards ? 'qdisc' : 'ingress'] = queue === null ? null : unmarked(queue);
      overlay[outwards ? 'egress' : 'ingress'] = queue;
    },
    output: (packets) => {
      for (const packet of packets) {
        if (packet.mark === 0) own.output([packet]);
        else if (outwards) overlay.sendQueued(packet);
        else overlay.receiveQueued(packet);
      }
    },
  };
}

/** A firewall's mark on one of the card's own frames is not a mark of the overlay. */
function unmarked(queue: QueueDiscipline): QueueDiscipline {
  return {
    get takesSuperSegments() {
      return queue.takesSuperSegments;
    },
    enqueue(frame) {
      frame.mark = 0;
      queue.enqueue(frame);
    },
  };
}

function egressPoint(key: string, device: QueuedDevice): UnnamedPoint {
  return {
    key,
    framing: FRAMES,
    attach: (queue) => {
      device.qdisc = queue;
    },
    output: (packets) => {
      for (const packet of packets) device.transmitNow(packet);
    },
  };
}
