import { afterAll, describe, expect, it } from 'vitest';
import type { PingOptions, PingOutcome, PodNetwork } from '../../../../shared/podnet/pod-network.ts';
import { LEFT_ADDRESS, podPair, RIGHT_ADDRESS } from '../../../../shared/podnet/pod-pair.testkit.ts';
import { SocketError } from '../../../../shared/podnet/socket-error.ts';
import { startTestContainer, type TestContainerOptions } from '../../container.testkit.ts';
import { utility } from '../../coreutils/utility.ts';
import { serveFakeDns } from '../dns/fake-dns-server.testkit.ts';
import { ping as busyboxPing } from './busybox.ts';
import { ping as iputilsPing, rttText } from './iputils.ts';

const RIGHT_NAME = 'right.default.svc.cluster.local';
const pair = podPair();
await serveFakeDns(pair.right, {
  records: [
    { type: 'A', name: RIGHT_NAME, ttl: 5, data: RIGHT_ADDRESS },
    { type: 'AAAA', name: 'six.default.svc.cluster.local', ttl: 5, data: 'fd00:10:244:1::3' },
    { type: 'PTR', name: '3.1.244.10.in-addr.arpa', ttl: 5, data: RIGHT_NAME },
  ],
});
afterAll(() => pair.close());

const PROGRAMS = { ping: utility('ping', iputilsPing), bping: utility('ping', busyboxPing) };
const RESOLV_CONF = `nameserver ${RIGHT_ADDRESS}\nsearch default.svc.cluster.local\noptions ndots:5\n`;

function container(network: PodNetwork = pair.left, options: TestContainerOptions = {}) {
  return startTestContainer({ network, programs: PROGRAMS, resolvConf: RESOLV_CONF, ...options });
}

/** Times differ from run to run. */
function timeless(text: string): string {
  return text
    .replace(/time=[\d.]+ ms/g, 'time=T ms')
    .replace(/time \d+ms/g, 'time Tms')
    .replace(/= [\d./]+ ms/g, '= T ms');
}

/** A network on which each request gets what the test says. */
function scripted(answer: (options: PingOptions) => PingOutcome | Error): PodNetwork {
  return {
    ...pair.left,
    // The pods of the test have no IPv6; ping only asks whether there is a way.
    bindUdp: (options) => pair.left.bindUdp(options?.remote?.address.includes(':') ? {} : options),
    addresses: () => pair.left.addresses(),
    ping: async (options) => {
      const outcome = answer(options);
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  };
}

const reply = (options: PingOptions, rttMs = 0.25): PingOutcome => ({
  kind: 'reply',
  from: options.address,
  reply: { sequence: options.sequence ?? 0, bytes: (options.payloadBytes ?? 56) + 8, ttl: 63, rttMs },
});

describe('ping of iputils', () => {
  it('prints what iputils prints', async () => {
    const result = await container().run(['ping', '-c', '2', '-i', '0.01', RIGHT_ADDRESS]);
    expect(timeless(result.stdout)).toBe(
      [
        'PING 10.244.1.3 (10.244.1.3) 56(84) bytes of data.',
        '64 bytes from 10.244.1.3: icmp_seq=1 ttl=64 time=T ms',
        '64 bytes from 10.244.1.3: icmp_seq=2 ttl=64 time=T ms',
        '',
        '--- 10.244.1.3 ping statistics ---',
        '2 packets transmitted, 2 received, 0% packet loss, time Tms',
        'rtt min/avg/max/mdev = T ms',
        '',
      ].join('\n'),
    );
    expect(result.code).toBe(0);
  });

  it('names who answers by its PTR record, except with -n', async () => {
    const named = await container().run(['ping', '-c1', '-s', '1400', '-M', 'do', 'right']);
    expect(named.stdout).toContain('PING right (10.244.1.3) 1400(1428) bytes of data.\n');
    expect(named.stdout).toContain(`1408 bytes from ${RIGHT_NAME} (10.244.1.3): icmp_seq=1 ttl=64 time=`);
    expect(named.stdout).toContain('--- right ping statistics ---');
    const numeric = await container().run(['ping', '-n', '-c1', 'right']);
    expect(numeric.stdout).toContain('64 bytes from 10.244.1.3: icmp_seq=1');
  });

  it('says that a neighbour does not answer, with the errors counted and the requests that were under way', async () => {
    const result = await container().run(['ping', '-c', '2', '-i', '0.01', '10.244.1.9']);
    expect(timeless(result.stdout)).toBe(
      [
        'PING 10.244.1.9 (10.244.1.9) 56(84) bytes of data.',
        `From ${LEFT_ADDRESS} icmp_seq=1 Destination Host Unreachable`,
        `From ${LEFT_ADDRESS} icmp_seq=2 Destination Host Unreachable`,
        '',
        '--- 10.244.1.9 ping statistics ---',
        '2 packets transmitted, 0 received, +2 errors, 100% packet loss, time Tms',
        'pipe 2',
        '',
      ].join('\n'),
    );
    expect(result.code).toBe(1);
  });

  it('has no times for a payload that holds no time stamp', async () => {
    const result = await container().run(['ping', '-c1', '-s', '8', RIGHT_ADDRESS]);
    expect(timeless(result.stdout)).toBe(
      'PING 10.244.1.3 (10.244.1.3) 8(36) bytes of data.\n16 bytes from 10.244.1.3: icmp_seq=1 ttl=64\n\n' +
        '--- 10.244.1.3 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss, time Tms\n\n',
    );
  });

  it('with -q prints only the first line and the statistics', async () => {
    const result = await container().run(['ping', '-q', '-c1', RIGHT_ADDRESS]);
    expect(timeless(result.stdout)).toBe(
      'PING 10.244.1.3 (10.244.1.3) 56(84) bytes of data.\n\n--- 10.244.1.3 ping statistics ---\n' +
        '1 packets transmitted, 1 received, 0% packet loss, time Tms\nrtt min/avg/max/mdev = T ms\n',
    );
  });

  it('words what routers say', async () => {
    const outcomes: PingOutcome[] = [
      { kind: 'time-exceeded', from: '10.244.1.1' },
      { kind: 'unreachable', from: '10.244.1.1', code: 4, mtuBytes: 1450 },
      { kind: 'unreachable', from: '10.244.1.1', code: 13 },
    ];
    const network = scripted((options) => outcomes[(options.sequence ?? 1) - 1] ?? { kind: 'timeout' });
    const result = await container(network).run(['ping', '-c3', '-i0.01', '-t', '1', '10.244.2.2']);
    expect(result.stdout).toContain('From 10.244.1.1 icmp_seq=1 Time to live exceeded\n');
    expect(result.stdout).toContain('From 10.244.1.1 icmp_seq=2 Frag needed and DF set (mtu = 1450)\n');
    expect(result.stdout).toContain('From 10.244.1.1 icmp_seq=3 Packet filtered\n');
    expect(result.stdout).toContain('3 packets transmitted, 0 received, +3 errors, 100% packet loss');
  });

  it('says which MTU a request with DF does not fit', async () => {
    const kernel = {
      run: (command: readonly string[]) => ({
        stdout: command.includes('route') ? '10.244.1.3 dev eth0 src 10.244.1.2 uid 0 \n' : '2: eth0: <UP> mtu 1450 \n',
        stderr: '',
        code: 0,
      }),
    };
    const result = await container(pair.left, { kernel }).run([
      'ping',
      '-c2',
      '-i0.01',
      '-M',
      'do',
      '-s',
      '1423',
      RIGHT_ADDRESS,
    ]);
    expect(result.stderr).toBe('ping: local error: message too long, mtu=1450\n'.repeat(2));
    expect(result.stdout).toContain('2 packets transmitted, 0 received, +2 errors, 100% packet loss');
    expect(result.code).toBe(1);
  });

  it('prints IPv6 as iputils does, which leaves the size of headers out', async () => {
    const result = await container(scripted(reply)).run(['ping', '-6', '-c', '1', 'six']);
    expect(timeless(result.stdout)).toBe(
      [
        'PING six(fd00:10:244:1::3) 56 data bytes',
        '64 bytes from fd00:10:244:1::3: icmp_seq=1 ttl=63 time=T ms',
        '',
        '--- six ping statistics ---',
        '1 packets transmitted, 1 received, 0% packet loss, time Tms',
        'rtt min/avg/max/mdev = T ms',
        '',
      ].join('\n'),
    );
  });

  it.each<[PingOutcome, string]>([
    [{ kind: 'time-exceeded', from: 'fd00::1' }, 'From fd00::1 icmp_seq=1 Time exceeded: Hop limit\n'],
    [
      { kind: 'unreachable', from: 'fd00::1', code: 1 },
      'From fd00::1 icmp_seq=1 Destination unreachable: Address unreachable\n',
    ],
    [
      { kind: 'unreachable', from: 'fd00::1', code: 4, mtuBytes: 1280 },
      'From fd00::1 icmp_seq=1 Packet too big: mtu=1280\n',
    ],
  ])('words ICMPv6 as iputils does: %j', async (outcome, line) => {
    const result = await container(scripted(() => outcome)).run(['ping', '-c', '1', 'fd00::9']);
    expect(result.stdout).toContain(`PING fd00::9(fd00::9) 56 data bytes\n${line}`);
  });

  it('rounds loss to six digits', async () => {
    const network = scripted((options) => (options.sequence === 2 ? { kind: 'timeout' } : reply(options)));
    const result = await container(network).run(['ping', '-c3', '-i0.01', '-W', '0.05', RIGHT_ADDRESS]);
    expect(result.stdout).toContain('3 packets transmitted, 2 received, 33.3333% packet loss');
    expect(result.stdout).toContain('rtt min/avg/max/mdev = 0.250/0.250/0.250/0.000 ms\n');
  });

  it('ends at the deadline, and fails when fewer answers came than wanted', async () => {
    const network = scripted((options) => (options.sequence === 1 ? reply(options) : { kind: 'timeout' }));
    const result = await container(network).run(['ping', '-c3', '-i0.1', '-w', '1', RIGHT_ADDRESS]);
    expect(result.stdout).toMatch(/\n\d+ packets transmitted, 1 received/);
    expect(result.code).toBe(1);
  });

  it('prints statistics on SIGINT', async () => {
    const test = container(pair.left, { command: ['sh', '-c', `ping -i 0.05 ${RIGHT_ADDRESS}`] });
    await test.waitForLog(/icmp_seq=2/);
    const process = test.container.view.processes.list().find(({ argv }) => argv[0] === 'ping');
    process?.deliver('SIGQUIT');
    await test.waitForLog(/\r\d+\/\d+ packets, 0% loss, min\/avg\/ewma\/max = /);
    process?.deliver('SIGINT');
    await test.waitForLog(/packets transmitted, \d+ received, 0% packet loss/);
    expect((await test.container.ended).exitCode).toBe(0);
  });

  it('reports outstanding requests with -O', async () => {
    const network = scripted((options) => (options.sequence === 1 ? { kind: 'timeout' } : reply(options)));
    const result = await container(network).run(['ping', '-O', '-c2', '-i0.02', RIGHT_ADDRESS]);
    expect(result.stdout).toContain('no answer yet for icmp_seq=1\n64 bytes from 10.244.1.3: icmp_seq=2');
  });

  it.each([
    [['ping'], 'ping: usage error: Destination address required\n', 1],
    [
      ['ping', '-c', '0', RIGHT_ADDRESS],
      "ping: invalid argument: '0': out of range: 1 <= value <= 9223372036854775807\n",
      1,
    ],
    [['ping', '-c', 'x', RIGHT_ADDRESS], "ping: invalid argument: 'x'\n", 1],
    [['ping', '-t', '300', RIGHT_ADDRESS], "ping: invalid argument: '300': out of range: 0 <= value <= 255\n", 1],
    [['ping', '-M', 'foo', RIGHT_ADDRESS], 'ping: invalid -M argument: foo\n', 2],
    [['ping', '-I', 'nope', RIGHT_ADDRESS], 'ping: SO_BINDTODEVICE nope: No such device\n', 2],
    [['ping', '-I', '1.2.3.4', RIGHT_ADDRESS], 'ping: bind: Cannot assign requested address\n', 2],
    [['ping', '-6', RIGHT_ADDRESS], 'ping: 10.244.1.3: Address family for hostname not supported\n', 2],
    [['ping', '-4', 'fd00::1'], 'ping: fd00::1: Address family for hostname not supported\n', 2],
    [['ping', 'nosuch'], 'ping: nosuch: Name or service not known\n', 2],
    [['ping', 'servfail'], 'ping: servfail: Temporary failure in name resolution\n', 2],
  ])('%j', async (command, stderr, code) => {
    const result = await container().run(command);
    expect(result).toEqual({ stdout: '', stderr, code });
  });

  it('prints its usage after a wrong option', async () => {
    const result = await container().run(['ping', '-Z', RIGHT_ADDRESS]);
    expect(result.stderr).toMatch(/^ping: invalid option -- 'Z'\n\nUsage\n {2}ping \[options\] <destination>\n/);
    expect(result.code).toBe(2);
  });

  it('without a route to the target says so before anything else', async () => {
    const network: PodNetwork = {
      ...scripted(reply),
      bindUdp: () => Promise.reject(new SocketError('ENETUNREACH', 'connect')),
    };
    const result = await container(network).run(['ping', '-c1', '10.9.9.9']);
    expect(result).toEqual({ stdout: '', stderr: 'ping: connect: Network is unreachable\n', code: 2 });
  });

  it.each([
    [0.0421, '0.042'],
    [1.234, '1.23'],
    [12.34, '12.3'],
    [123.4, '123'],
    [99.96, '100'],
  ])('%f ms is %s', (rttMs, text) => expect(rttText(rttMs)).toBe(text));
});

describe('ping of busybox', () => {
  it('prints what busybox prints', async () => {
    const result = await container().run(['bping', '-c', '2', '-i', '0.01', 'right']);
    expect(timeless(result.stdout)).toBe(
      [
        'PING right (10.244.1.3): 56 data bytes',
        '64 bytes from 10.244.1.3: seq=0 ttl=64 time=T ms',
        '64 bytes from 10.244.1.3: seq=1 ttl=64 time=T ms',
        '',
        '--- right ping statistics ---',
        '2 packets transmitted, 2 packets received, 0% packet loss',
        'round-trip min/avg/max = T ms',
        '',
      ].join('\n'),
    );
    expect(result.code).toBe(0);
  });

  it('keeps errors of the network to itself', async () => {
    const result = await container(
      scripted((options) => ({ kind: 'unreachable', from: options.address, code: 1 })),
    ).run(['bping', '-c', '1', '-W', '1', '10.244.2.2']);
    expect(result.stdout).toBe(
      'PING 10.244.2.2 (10.244.2.2): 56 data bytes\n\n--- 10.244.2.2 ping statistics ---\n' +
        '1 packets transmitted, 0 packets received, 100% packet loss\n',
    );
    expect(result.code).toBe(1);
  });

  it('ends at a request that cannot be sent', async () => {
    const network = scripted(() => new SocketError('ENETUNREACH', 'ping'));
    const result = await container(network).run(['bping', '10.9.9.9']);
    expect(result).toEqual({
      stdout: 'PING 10.9.9.9 (10.9.9.9): 56 data bytes\n',
      stderr: 'ping: sendto: Network is unreachable\n',
      code: 1,
    });
  });

  it.each([
    [['bping', '-c1', 'nosuch'], "ping: bad address 'nosuch'\n"],
    [['bping', '-c', 'x', RIGHT_ADDRESS], "ping: invalid number 'x'\n"],
    [['bping', '-s', '70000', RIGHT_ADDRESS], 'ping: number 70000 is not in 0..65535 range\n'],
  ])('%j', async (command, stderr) => {
    expect(await container().run(command)).toEqual({ stdout: '', stderr, code: 1 });
  });

  it('has no -M', async () => {
    const result = await container().run(['bping', '-M', 'do', RIGHT_ADDRESS]);
    expect(result.stderr).toMatch(/^ping: invalid option -- 'M'\nBusyBox v1\.\S+ .*\n\nUsage: ping \[OPTIONS\] HOST\n/);
    expect(result.code).toBe(1);
  });
});
