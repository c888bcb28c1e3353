/** A server on the machine's own ports, whichever sockets carry its datagrams. */
import { afterEach, describe, expect, it } from 'vitest';
import type { NativeSockets } from '../shared/native/native-socket.ts';
import { queryDns } from '../shared/podnet/dns-query.ts';
import type { PodTcpServer } from '../shared/podnet/pod-network.ts';
import { HostNetwork, loadBatches } from './host-network.ts';
import type { DnsNetwork } from './plugin.ts';
import { sharedOf } from './server.testkit.ts';
import { DnsServer } from './server.ts';

const implementations: { readonly name: string; readonly batches: NativeSockets | undefined }[] = [
  { name: 'one by one', batches: undefined },
];
await loadBatches().then(
  (batches) => implementations.push({ name: 'in batches', batches }),
  (error: unknown) => process.stderr.write(`host-network: one by one only: ${String(error)}\n`),
);

const QUERIES = 200;

describe.each(implementations)('queries taken $name', ({ batches }) => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function serve(
    plugins: string,
    portOverride = 0,
    network: DnsNetwork = new HostNetwork('127.0.0.1', batches),
  ): Promise<number> {
    const text = `.:53 {\n${plugins}\n}\n`;
    const readCorefile = () => ({ file: 'Corefile', text });
    const server = new DnsServer({ ...sharedOf(network), readCorefile, portOverride });
    await server.start();
    stops.push(() => server.stop({ lameDuck: false }));
    return server.address(53)?.port ?? 0;
  }

  async function addressOf(port: number, name: string, tcp = false): Promise<unknown> {
    const network = new HostNetwork('127.0.0.1');
    const { packet } = await queryDns(network, { server: '127.0.0.1', port, name, type: 'A', timeoutMs: 20_000, tcp });
    return packet.answers?.map((answer) => ('data' in answer ? answer.data : undefined));
  }

  it('are answered, all of many at a time', async () => {
    const port = await serve('kubernetes cluster.local');
    const answers = await Promise.all(
      Array.from({ length: QUERIES }, () => addressOf(port, 'web.default.svc.cluster.local')),
    );
    expect(answers).toEqual(answers.map(() => ['10.96.0.20']));
  });

  it('are answered over TCP at the same port', async () => {
    const port = await serve('kubernetes cluster.local');
    expect(await addressOf(port, 'web.default.svc.cluster.local', true)).toEqual(['10.96.0.20']);
  });

  it('are answered when the answer comes later', async () => {
    const behind = await serve('kubernetes cluster.local');
    const port = await serve(`forward . 127.0.0.1:${behind}`);
    const names = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 'web' : 'also'));
    const answers = await Promise.all(names.map((name) => addressOf(port, `${name}.default.svc.cluster.local`)));
    expect(answers).toEqual(names.map((name) => [name === 'web' ? '10.96.0.20' : '10.96.0.21']));
  });

  it('come to a port that is free for both transports, where any will do', async () => {
    const network = new HostNetwork('127.0.0.1', batches);
    let taken: PodTcpServer | undefined;
    const bindUdp: DnsNetwork['bindUdp'] = async (options) => {
      const socket = await network.bindUdp(options);
      taken ??= await network.listenTcp({ port: socket.address().port });
      return socket;
    };
    const unlucky = {
      bindUdp,
      listenTcp: network.listenTcp.bind(network),
      connectTcp: network.connectTcp.bind(network),
    };
    const port = await serve('kubernetes cluster.local', 0, unlucky);
    stops.push(async () => taken?.close());
    expect(port).not.toBe(taken?.address().port);
    for (const tcp of [false, true]) {
      expect(await addressOf(port, 'web.default.svc.cluster.local', tcp)).toEqual(['10.96.0.20']);
    }
  });

  it('need a port of their own', async () => {
    const taken = await serve('whoami');
    await expect(serve('whoami', taken)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
