/**
 * The process under load of the soak benchmark: two nodes' data paths with a real socket each, a TCP stream between their
 * pods as fast as it goes, and short connections beside it. Says once a second, over IPC, how it is.
 */

import type { UnderlayLink } from '../node-agent/datapath/link.ts';
import { vxlanNetwork } from '../node-agent/datapath/network/bridged-network.ts';
import { NodeDatapath } from '../node-agent/datapath/path.ts';
import { EventLoop } from '../node-agent/io/event-loop.ts';
import { openLink } from '../node-agent/io/open-link.ts';
import { EventEngine } from '../shared/netstack/event-engine.ts';
import type { Host } from '../shared/netstack/host.ts';
import { PacketMemory } from '../shared/wire/packet-memory.ts';
import { address, cidr } from './address.ts';
import type { SoakSample } from './soak-message.ts';

const BULK_PORT = 5201;
const ECHO_PORT = 7;
const CHUNK = new Uint8Array(65_536);
const QUESTION = new Uint8Array(10_000);
const CONNECTION_INTERVAL_MS = 20;
const SAMPLE_INTERVAL_MS = 1000;
const SERVER = '10.244.2.5';

const engine = new EventEngine({ random: Math.random });
const memory = new PacketMemory();
const loop = new EventLoop(engine);
let received = 0;
let connections = 0;

async function createNode(number: number): Promise<{ datapath: NodeDatapath; link: UnderlayLink }> {
  const { link } = await openLink({
    memory,
    loop,
    bind: { address: '127.0.0.1', port: 0 },
    tier: 'auto',
    batches: true,
  });
  const datapath = loop.run(
    () =>
      new NodeDatapath({
        engine,
        memory,
        link,
        nodeName: `worker-${number}`,
        internalIp: address(`192.168.1.${9 + number}`),
        clusterCidr: cidr('10.244.0.0/16'),
        bootId: `${number}`,
        secret: crypto.getRandomValues(new Uint8Array(16)),
      }),
  );
  datapath.use(vxlanNetwork);
  loop.run(() => datapath.setPodCidr(cidr(`10.244.${number}.0/24`)));
  return { datapath, link };
}

function introduce(node: NodeDatapath, other: { datapath: NodeDatapath; link: UnderlayLink }): void {
  const { nodeName, internalIp, vtepMac, underlayMac, podCidr } = other.datapath;
  node.setPeer({ nodeName, internalIp, endpoint: other.link.local, podCidr, vtepMac, underlayMac });
}

function serve(host: Host): void {
  host.tcp.listen({ port: BULK_PORT }).onConnection = (connection) => {
    connection.onData = (bytes) => {
      received += bytes.length;
    };
  };
  host.tcp.listen({ port: ECHO_PORT }).onConnection = (connection) => {
    connection.onData = (bytes) => void connection.write(bytes);
    connection.onEnd = () => connection.end();
  };
}

function streamTo(host: Host): void {
  const connection = host.tcp.connect({ remoteAddress: address(SERVER), remotePort: BULK_PORT });
  const fill = (): void => {
    while (connection.write(CHUNK) === CHUNK.length);
  };
  connection.onEstablished = fill;
  connection.onWritable = fill;
  connection.onClose = (error) => {
    throw new Error(`the stream ended: ${error}`);
  };
}

function askOnce(host: Host): void {
  const connection = host.tcp.connect({ remoteAddress: address(SERVER), remotePort: ECHO_PORT });
  let left = QUESTION.length;
  connection.onEstablished = () => void connection.write(QUESTION);
  connection.onData = (bytes) => {
    left -= bytes.length;
    if (left === 0) connection.end();
  };
  connection.onClose = () => connections++;
}

const [first, second] = [await createNode(1), await createNode(2)];
const client = loop.run(() => {
  introduce(first.datapath, second);
  introduce(second.datapath, first);
  serve(second.datapath.attachPod({ id: 'bench/server', address: address(SERVER) }).host);
  return first.datapath.attachPod({ id: 'bench/client', address: address('10.244.1.5') }).host;
});
loop.run(() => streamTo(client));
setInterval(() => loop.run(() => askOnce(client)), CONNECTION_INTERVAL_MS);
let before = 0;
setInterval(() => {
  const sample: SoakSample = {
    rssBytes: process.memoryUsage.rss(),
    megabits: ((received - before) * 8) / 1e6,
    connections,
  };
  before = received;
  process.send?.(sample);
}, SAMPLE_INTERVAL_MS);
process.once('disconnect', () => process.exit(0));
