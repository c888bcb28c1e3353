/** Two nodes with clocks, timers and UDP sockets of their own: the edges of the data path, for real. */
import { afterAll, expect, it, vi } from 'vitest';
import { vxlanNetwork } from '../../node-agent/datapath/network/bridged-network.ts';
import { NodeDatapath } from '../../node-agent/datapath/path.ts';
import { DgramLink } from '../../node-agent/io/dgram-link.ts';
import { EventLoop } from '../../node-agent/io/event-loop.ts';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { parseIpv4Prefix } from '../../shared/wire/address.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import { ip } from './cluster.testkit.ts';
import { serviceRules } from './service-rules.testkit.ts';

const closing: (() => void)[] = [];

afterAll(() => {
  for (const close of closing) close();
});

async function startNode(number: number) {
  const engine = new EventEngine({ random: Math.random });
  const loop = new EventLoop(engine);
  const memory = new PacketMemory({ smallSlots: 1024, largeSlots: 16 });
  loop.enter();
  loop.leave();
  const link = await DgramLink.open({ memory, loop, bind: { address: '127.0.0.1', port: 0 } });
  const datapath = new NodeDatapath({
    engine,
    memory,
    link,
    nodeName: `worker-${number}`,
    internalIp: ip(`192.168.1.${9 + number}`),
    clusterCidr: parseIpv4Prefix('10.244.0.0/16')!,
    bootId: `boot-${number}`,
    secret: crypto.getRandomValues(new Uint8Array(16)),
  });
  datapath.use(vxlanNetwork);
  datapath.setPodCidr(parseIpv4Prefix(`10.244.${number}.0/24`)!);
  closing.push(() => {
    loop.run(() => datapath.dispose());
    loop.close();
    link.close();
  });
  return { loop, link, datapath };
}

type StartedNode = Awaited<ReturnType<typeof startNode>>;

function introduce(to: StartedNode, other: StartedNode): void {
  const { nodeName, internalIp, podCidr, vtepMac, underlayMac } = other.datapath;
  to.datapath.setPeer({ nodeName, internalIp, podCidr, vtepMac, underlayMac, endpoint: other.link.local });
}

it('a request to a Service crosses real sockets and comes back', async () => {
  const [one, two] = [await startNode(1), await startNode(2)];
  introduce(one, two);
  introduce(two, one);
  one.datapath.applyRules(
    serviceRules(one.datapath.bootId, [
      { name: 'web', protocol: 'tcp', clusterIp: '10.96.12.3', port: 80, backends: ['10.244.2.7:8080'] },
    ]),
  );
  const client = one.datapath.attachPod({ id: 'default/client', address: ip('10.244.1.5') }).host;
  const server = two.datapath.attachPod({ id: 'default/server', address: ip('10.244.2.7') }).host;
  two.loop.run(() => {
    server.tcp.listen({ port: 8080 }).onConnection = (connection) => {
      connection.onData = (bytes) => connection.write(bytes);
    };
  });
  let received = 0;
  const sent = 64 * 1024;
  const connection = one.loop.run(() => client.tcp.connect({ remoteAddress: ip('10.96.12.3'), remotePort: 80 }));
  connection.onData = (bytes) => {
    received += bytes.length;
  };
  await vi.waitUntil(() => connection.state === 'ESTABLISHED', { interval: 1, timeout: 5000 });
  expect(one.loop.run(() => connection.write(new Uint8Array(sent)))).toBe(sent);
  await vi.waitUntil(() => received === sent, { interval: 1, timeout: 5000 });
  expect(two.link.counters).toMatchObject({ foreignSenders: 0, sendErrors: 0, receiveDrops: 0 });
  expect(two.link.counters.datagramsReceived).toBeGreaterThan(sent / 1448);
});
