import { afterAll, describe, expect, it } from 'vitest';
import type { PingOptions, PingOutcome, PodNetwork } from '../../../../shared/podnet/pod-network.ts';
import { podPair, RIGHT_ADDRESS } from '../../../../shared/podnet/pod-pair.testkit.ts';
import { SocketError } from '../../../../shared/podnet/socket-error.ts';
import { startTestContainer } from '../../container.testkit.ts';
import { utility } from '../../coreutils/utility.ts';
import { serveFakeDns } from '../dns/fake-dns-server.testkit.ts';
import { traceroute as busyboxTraceroute } from './busybox.ts';
import { traceroute as linuxTraceroute } from './linux.ts';

const GATEWAY = '10.244.1.1';
const NODE = '192.168.1.11';
const pair = podPair();
await serveFakeDns(pair.right, {
  records: [
    { type: 'A', name: 'right.default.svc.cluster.local', ttl: 5, data: RIGHT_ADDRESS },
    { type: 'PTR', name: '3.1.244.10.in-addr.arpa', ttl: 5, data: 'right.default.svc.cluster.local' },
  ],
});
afterAll(() => pair.close());

function container(network: PodNetwork = pair.left) {
  return startTestContainer({
    network,
    programs: {
      traceroute: utility('traceroute', linuxTraceroute),
      btraceroute: utility('traceroute', busyboxTraceroute),
    },
    resolvConf: `nameserver ${RIGHT_ADDRESS}\nsearch default.svc.cluster.local\noptions ndots:5\n`,
  });
}

/** A network whose routers do as the test says, by the probe's hops to live. */
function routed(hop: (ttl: number, options: PingOptions) => PingOutcome | Error): PodNetwork {
  return {
    ...pair.left,
    bindUdp: (options) => pair.left.bindUdp(options),
    ping: async (options) => {
      const outcome = hop(options.ttl ?? 64, options);
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  };
}

function reply(options: PingOptions): PingOutcome {
  const reply = { sequence: options.sequence ?? 0, bytes: 40, ttl: 62, rttMs: 0.5 };
  return { kind: 'reply', from: options.address, reply };
}

/** Pod, gateway, node, a silent hop, target. */
const path = (ttl: number, options: PingOptions): PingOutcome => {
  if (ttl >= 4) return reply(options);
  if (ttl === 3) return { kind: 'timeout' };
  return { kind: 'time-exceeded', from: ttl === 1 ? GATEWAY : NODE };
};

function timeless(text: string): string {
  return text.replace(/[\d.]+ ms/g, 'T ms');
}

describe('traceroute for Linux', () => {
  it('prints hops in order until the target', async () => {
    const result = await container(routed(path)).run(['traceroute', '-n', '10.244.2.2']);
    expect(timeless(result.stdout)).toBe(
      [
        'traceroute to 10.244.2.2 (10.244.2.2), 30 hops max, 60 byte packets',
        ' 1  10.244.1.1  T ms  T ms  T ms',
        ' 2  192.168.1.11  T ms  T ms  T ms',
        ' 3  * * *',
        ' 4  10.244.2.2  T ms  T ms  T ms',
        '',
      ].join('\n'),
    );
    expect(result.code).toBe(0);
  });

  it('reaches the other pod in one hop, by its name', async () => {
    const result = await container().run(['traceroute', '-q', '1', 'right', '40']);
    expect(timeless(result.stdout)).toBe(
      'traceroute to right (10.244.1.3), 30 hops max, 40 byte packets\n 1  right.default.svc.cluster.local (10.244.1.3)  T ms\n',
    );
  });

  it('shows several routers of one hop, and why a router goes no further', async () => {
    const network = routed((_ttl, options) => {
      const index = options.sequence ?? 0;
      if (index === 1) return { kind: 'timeout' };
      if (index === 0) return { kind: 'time-exceeded', from: GATEWAY };
      return { kind: 'unreachable', from: NODE, code: index === 2 ? 1 : 13 };
    });
    const result = await container(network).run(['traceroute', '-n', '-N1', '10.244.2.2']);
    expect(timeless(result.stdout).split('\n')[1]).toBe(' 1  10.244.1.1  T ms *  192.168.1.11  T ms !H');
  });

  it('ends at -m, waiting for each probe as long as -w says', async () => {
    const result = await container(routed(() => ({ kind: 'timeout' }))).run([
      'traceroute',
      '-n',
      '-m',
      '2',
      '-q',
      '1',
      '-w',
      '0.1',
      '10.244.2.2',
    ]);
    expect(result.stdout).toBe('traceroute to 10.244.2.2 (10.244.2.2), 2 hops max, 60 byte packets\n 1  *\n 2  *\n');
  });

  it('does not wait for silent hops once a farther one has answered', async () => {
    // Hop 1 is a real ping of an address that nobody has: its error comes after seconds, the time-out later.
    const network: PodNetwork = {
      ...routed(path),
      ping: (options, signal) => {
        const { ttl = 64 } = options;
        return ttl === 1
          ? pair.left.ping({ ...options, address: '10.244.1.77' }, signal)
          : Promise.resolve(path(4, options));
      },
    };
    const result = await container(network).run(['traceroute', '-n', '10.244.2.2']);
    expect(timeless(result.stdout)).toContain('\n 1  * * *\n 2  10.244.2.2  T ms');
  });

  it('without a route says so', async () => {
    const network = routed(() => new SocketError('ENETUNREACH', 'ping'));
    const result = await container(network).run(['traceroute', '-n', '10.9.9.9']);
    expect(result).toEqual({
      stdout: 'traceroute to 10.9.9.9 (10.9.9.9), 30 hops max, 60 byte packets\n',
      stderr: 'connect: Network is unreachable\n',
      code: 1,
    });
  });

  it.each([
    [
      ['traceroute', 'nosuch'],
      'nosuch: Name or service not known\nCannot handle "host" cmdline arg `nosuch\' on position 1 (argc 1)\n',
    ],
    [['traceroute', '-q', '99', RIGHT_ADDRESS], 'no more than 10 probes per hop\n'],
    [['traceroute', '-m', '300', RIGHT_ADDRESS], 'max hops cannot be more than 255\n'],
    [['traceroute', '-f', '5', '-m', '3', RIGHT_ADDRESS], 'first hop out of range\n'],
    [['traceroute', '-Z'], "Bad option `-Z' (argc 1)\n"],
  ])('%j', async (command, stderr) => {
    expect(await container().run(command)).toEqual({ stdout: '', stderr, code: 2 });
  });
});

describe('traceroute of busybox', () => {
  it('prints hops until the target', async () => {
    const result = await container(routed(path)).run(['btraceroute', '-n', '-q', '2', '10.244.2.2']);
    expect(timeless(result.stdout)).toBe(
      [
        'traceroute to 10.244.2.2 (10.244.2.2), 30 hops max, 46 byte packets',
        ' 1  10.244.1.1  T ms  T ms',
        ' 2  192.168.1.11  T ms  T ms',
        ' 3  *  *',
        ' 4  10.244.2.2  T ms  T ms',
        '',
      ].join('\n'),
    );
  });

  it('ends where nearly all probes are told that it goes no further', async () => {
    const network = routed((_ttl, { sequence }) =>
      sequence === 3 ? { kind: 'timeout' } : { kind: 'unreachable', from: NODE, code: 1 },
    );
    const result = await container(network).run(['btraceroute', '-n', '10.244.2.2']);
    expect(timeless(result.stdout).split('\n').slice(1)).toEqual([' 1  *  192.168.1.11  T ms !H  T ms !H', '']);
  });

  it.each([
    [['btraceroute', 'nosuch'], "traceroute: bad address 'nosuch'\n"],
    [['btraceroute', '-q', '0', RIGHT_ADDRESS], 'traceroute: number 0 is not in 1..2147483647 range\n'],
    [['btraceroute', '-m', '300', RIGHT_ADDRESS], 'traceroute: number 300 is not in 1..255 range\n'],
    [['btraceroute', '-w', 'x', RIGHT_ADDRESS], "traceroute: invalid number 'x'\n"],
  ])('%j', async (command, stderr) => {
    expect(await container().run(command)).toEqual({ stdout: '', stderr, code: 1 });
  });
});
