/** Captures on nodes and pods: what is seen where, with which comments, and what a slow reader costs. */
import { describe, expect, it, vi } from 'vitest';
import type { Capture, CaptureOptions } from '../../node-agent/datapath/capture/capture.ts';
import type { CapturedFrame } from '../../node-agent/datapath/capture/capture-queue.ts';
import type { NodeDatapath } from '../../node-agent/datapath/path.ts';
import type { PodAttachment } from '../../node-agent/datapath/pod-attachment.ts';
import { formatIpv4 } from '../../shared/wire/address.ts';
import { pseudoHeaderSum, sumRangeScalar } from '../../shared/wire/checksum.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import { compileFilter } from '../../shared/wire/pcap-filter/compile.ts';
import { ip, TestCluster } from './cluster.testkit.ts';

const OVERLAY_BYTES = 50;

function start(node: NodeDatapath, options: Partial<CaptureOptions> & { readonly text?: string } = {}): Capture {
  const places = [{ host: node.root, name: node.nodeName }];
  return node.captures.start({ places, filter: compileFilter(options.text ?? ''), ...options });
}

function ofPod(node: NodeDatapath, pod: PodAttachment, text = ''): Capture {
  return start(node, { places: [{ host: pod.host, name: pod.id }], text });
}

function viewOf({ bytes }: CapturedFrame): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** `worker-1 cni0 out 10.244.1.5 > 10.244.2.7` */
function told(frame: CapturedFrame): string {
  const view = viewOf(frame);
  const where = `${frame.place.name} ${frame.device?.name ?? 'dropped'}`;
  const direction = frame.outbound ? 'out' : 'in';
  if (ethernet.type(view, 0) !== ethernet.TYPE_IPV4) return `${where} ${direction} other`;
  return `${where} ${direction} ${formatIpv4(ipv4.source(view, 14))} > ${formatIpv4(ipv4.destination(view, 14))}`;
}

/** 0 when both checksums of the UDP packet are right. */
function checksumErrors(frame: CapturedFrame): number {
  const view = viewOf(frame);
  const transport = 14 + ipv4.headerBytes(view, 14);
  const length = ipv4.totalLength(view, 14) - 20;
  const pseudo = pseudoHeaderSum(ipv4.source(view, 14), ipv4.destination(view, 14), 17, length);
  const sum = pseudo + sumRangeScalar(view, transport, length);
  return (ipv4.checksumValid(view, 14) ? 0 : 1) + (sum % 0xffff === 0 ? 0 : 1);
}

function serviceCluster() {
  const cluster = new TestCluster();
  const client = cluster.pod('10.244.1.5');
  const server = cluster.pod('10.244.2.7');
  cluster.udpServer(server.host, 8080);
  cluster.services({ name: 'web', protocol: 'udp', clusterIp: '10.96.12.3', port: 80, backends: ['10.244.2.7:8080'] });
  cluster.ask(client.host, '10.96.12.3', 80); // neighbours are known from here on
  return { cluster, client, server, node: cluster.node(1) };
}

describe('a capture', () => {
  it('shows a request on every device it passes, with right checksums and translated as it is there', () => {
    const { cluster, client, node } = serviceCluster();
    const onNode = start(node, { text: 'udp and not port 4789' });
    const inPod = ofPod(node, client);
    cluster.ask(client.host, '10.96.12.3', 80);
    const frames = onNode.queue.take();
    const veth = client.hostDevice.name;
    expect(frames.map(told)).toEqual([
      `worker-1 ${veth} in 10.244.1.5 > 10.96.12.3`,
      'worker-1 cni0 in 10.244.1.5 > 10.96.12.3',
      'worker-1 flannel.1 out 10.244.1.5 > 10.244.2.7',
      'worker-1 flannel.1 in 10.244.2.7 > 10.244.1.5',
      'worker-1 cni0 out 10.96.12.3 > 10.244.1.5',
      `worker-1 ${veth} out 10.96.12.3 > 10.244.1.5`,
    ]);
    expect(frames.map(checksumErrors)).toEqual([0, 0, 0, 0, 0, 0]);
    const seenByPod = inPod.queue.take();
    expect(seenByPod.map(told)).toEqual([
      'default/pod-10.244.1.5 eth0 out 10.244.1.5 > 10.96.12.3',
      'default/pod-10.244.1.5 eth0 in 10.96.12.3 > 10.244.1.5',
    ]);
    expect(seenByPod.map(checksumErrors)).toEqual([0, 0]);
  });

  it('shows the overlay on eth0 inside the datagrams between the nodes', () => {
    const { cluster, client, node } = serviceCluster();
    const capture = start(node, { device: 'eth0', text: 'udp port 4789 and vxlan 1 and port 8080' });
    cluster.ask(client.host, '10.96.12.3', 80);
    const frames = capture.queue.take();
    expect(frames.map(told)).toEqual([
      'worker-1 eth0 out 192.168.1.10 > 192.168.1.11',
      'worker-1 eth0 in 192.168.1.11 > 192.168.1.10',
    ]);
    expect(frames.map(checksumErrors)).toEqual([0, 0]);
    const [{ bytes }, datagram] = [frames[0]!, cluster.captured.at(-2)!];
    expect(bytes.subarray(OVERLAY_BYTES - 8)).toEqual(datagram);
  });

  it('comments on the connection and its translation', () => {
    const { cluster, client, node } = serviceCluster();
    const capture = start(node, { device: 'flannel.1', comments: true });
    cluster.ask(client.host, '10.96.12.3', 80);
    const [request, answer] = capture.queue.take().map(({ comment }) => comment);
    expect(request).toBe('accepted; UDP NEW, original direction; DNAT 10.96.12.3:80 -> 10.244.2.7:8080');
    expect(answer).toMatch(/^UDP NEW, reply direction; DNAT 10.96.12.3:80 -> 10.244.2.7:8080$/);
  });

  it('shows a dropped packet with the policy that dropped it, on the node and to whoever asks for its address', () => {
    const { cluster, client, node } = serviceCluster();
    const denied = { code: 'policy-denied', cause: 'NetworkPolicy default/deny-all' };
    node.setPolicy({ judge: () => denied });
    const drops = { inPlaces: true, addresses: new Set<number>() };
    const onNode = start(node, { drops, text: 'dst port 8080' });
    const asked = start(node, { places: [], drops: { inPlaces: false, addresses: new Set([ip('10.244.1.5')]) } });
    const other = start(node, { places: [], drops: { inPlaces: false, addresses: new Set([ip('10.244.1.9')]) } });
    cluster.ask(client.host, '10.96.12.3', 80);
    const [dropped] = onNode.queue.take();
    expect(told(dropped!)).toBe('worker-1 dropped in 10.244.1.5 > 10.244.2.7');
    expect(dropped!.comment).toMatch(/^dropped at worker-1 forward: policy-denied by NetworkPolicy default\/deny-all/);
    expect(checksumErrors(dropped!)).toBe(0);
    expect(asked.queue.take().map(({ comment }) => comment)).toEqual([dropped!.comment]);
    expect(other.queue.take()).toEqual([]);
  });

  it('shows what a pod drops in the capture of the pod alone', () => {
    const { cluster, client, node } = serviceCluster();
    const drops = { inPlaces: true, addresses: new Set<number>() };
    const onNode = start(node, { drops, text: 'udp port 9' });
    const places = [{ host: client.host, name: client.id }];
    const inPod = start(node, { places, drops, text: 'udp port 9' });
    cluster.ask(node.root, '10.244.1.5', 9);
    expect(onNode.queue.take().filter(({ device }) => device === null)).toEqual([]);
    const dropped = inPod.queue.take().filter(({ device }) => device === null);
    expect(dropped.map(({ comment }) => comment)).toEqual([
      'dropped at default/pod-10.244.1.5 udp: udp-no-socket; UDP NEW, original direction',
    ]);
  });

  it('shows a packet over lo once', () => {
    const { cluster, client, node } = serviceCluster();
    const capture = ofPod(node, client);
    cluster.ask(client.host, '127.0.0.1', 9);
    expect(capture.queue.take().map(told)).toEqual([
      'default/pod-10.244.1.5 lo in 127.0.0.1 > 127.0.0.1',
      'default/pod-10.244.1.5 lo in 127.0.0.1 > 127.0.0.1',
    ]);
  });

  it('follows pods that come while it runs, and leaves no tap behind', () => {
    const { cluster, client, node } = serviceCluster();
    const capture = start(node, { text: 'icmp' });
    const late = cluster.pod('10.244.1.6');
    cluster.ping(client.host, { to: '10.244.1.6' });
    expect(capture.queue.take().map(told)).toContain(`worker-1 ${late.hostDevice.name} out 10.244.1.5 > 10.244.1.6`);
    capture.stop();
    capture.stop();
    expect(node.devices.map(({ tap }) => tap)).toEqual(node.devices.map(() => null));
    expect(node.drops.tap).toBeNull();
    cluster.ping(client.host, { to: '10.244.1.6' });
    expect(capture.queue.take()).toEqual([]);
  });

  it('copies no packet that the filter refuses, or that finds no room', () => {
    const { cluster, client, node } = serviceCluster();
    start(node, { text: 'icmp' });
    start(node, { text: 'udp', queueBytes: 0 });
    const clone = vi.spyOn(cluster.memory, 'clone');
    cluster.ask(client.host, '10.96.12.3', 80);
    expect(clone).not.toHaveBeenCalled();
    start(node, { text: 'udp' });
    cluster.ask(client.host, '10.96.12.3', 80);
    expect(clone).toHaveBeenCalled();
  });

  it('keeps the bytes of the snapshot length', () => {
    const { cluster, client, node } = serviceCluster();
    const capture = start(node, { device: 'cni0', snapBytes: 34 });
    cluster.ask(client.host, '10.96.12.3', 80);
    const frames = capture.queue.take();
    expect(frames.map(({ bytes }) => bytes.length)).toEqual(frames.map(() => 34));
    expect(frames[0]!.wireBytes).toBeGreaterThan(42);
  });

  it('drops and counts what a reader who does not read leaves no room for', () => {
    const { cluster, client, node } = serviceCluster();
    const queueBytes = 20_000;
    const capture = start(node, { queueBytes, text: 'udp' });
    const inUse = cluster.memory.inUse;
    for (let i = 0; i < 200; i++) cluster.ask(client.host, '10.96.12.3', 80);
    expect(capture.queue.bytes).toBeLessThanOrEqual(queueBytes);
    expect(cluster.memory.inUse).toBe(inUse);
    const kept = capture.queue.take().length;
    expect(kept).toBeGreaterThan(10);
    expect(capture.received).toBe(kept + capture.queue.dropped);
    cluster.ask(client.host, '10.96.12.3', 80);
    expect(capture.queue.take().length).toBeGreaterThan(0);
  });
});
