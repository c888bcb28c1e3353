/** What the record of real outputs cannot show: time-outs, tries, transports, cookies, commands from standard input. */
import { afterEach, describe, expect, it } from 'vitest';
import { LEFT_ADDRESS, type PodPair, podPair, RIGHT_ADDRESS } from '../../../../shared/podnet/pod-pair.testkit.ts';
import { startTestContainer, type TestContainer } from '../../container.testkit.ts';
import { ALL_NETWORK, BUSYBOX_NETWORK } from '../toolset.ts';
import { type FakeDnsOptions, type FakeDnsServer, serveFakeDns } from './fake-dns-server.testkit.ts';

const BIG = 'big.default.svc.cluster.local';
const WEB = 'web.default.svc.cluster.local';

let pods: PodPair;
afterEach(() => pods.close());

async function client(options: FakeDnsOptions = {}): Promise<TestContainer & FakeDnsServer> {
  pods = podPair();
  const { asked } = await serveFakeDns(pods.right, options);
  const container = startTestContainer({
    network: pods.left,
    programs: { ...ALL_NETWORK, bnslookup: BUSYBOX_NETWORK.nslookup! },
    resolvConf: `nameserver ${RIGHT_ADDRESS}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`,
  });
  return { ...container, asked };
}

describe('dig', () => {
  it('asks as often as it may, each time with its time-out', async () => {
    const { run, asked } = await client();
    const result = await run(['dig', '+time=1', '+tries=2', 'silent.x']);
    const failure = `;; communications error to ${RIGHT_ADDRESS}#53: timed out\n`;
    expect(result.stdout).toBe(
      `${failure}${failure}\n; <<>> DiG 9.18.33 <<>> +time=1 +tries=2 silent.x\n;; global options: +cmd\n;; no servers could be reached\n`,
    );
    expect(result.code).toBe(9);
    expect(asked).toEqual(['UDP silent.x A', 'UDP silent.x A']);
  });

  it.each([
    [[], ['UDP', 'TCP']],
    [['+tcp'], ['TCP']],
    [['+notcp'], ['UDP', 'TCP']],
    [['+ignore'], ['UDP']],
    [['+bufsize=4096'], ['UDP']],
  ])('%j asks over %j for an answer that is too long for 512 bytes', async (options, transports) => {
    const { run, asked } = await client();
    const bufsize = options.includes('+bufsize=4096') ? [] : ['+bufsize=512'];
    const result = await run(['dig', ...bufsize, ...options, '+short', BIG]);
    expect(asked).toEqual(transports.map((transport) => `${transport} ${BIG} A`));
    expect(result.stdout.split('\n').length - 1).toBe(options.includes('+ignore') ? 0 : 60);
  });

  it('says over which transport the answer came', async () => {
    const { run } = await client();
    expect((await run(['dig', '+tcp', 'example.org'])).stdout).toContain(`#53(${RIGHT_ADDRESS}) (TCP)\n`);
    expect((await run(['dig', 'example.org'])).stdout).toContain(`#53(${RIGHT_ADDRESS}) (UDP)\n`);
  });

  it('shows a cookie that comes back as it went', async () => {
    const { run } = await client({ echoesCookies: true, recursionAvailable: true });
    const result = await run(['dig', 'example.org']);
    expect(result.stdout).toMatch(
      /;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n; COOKIE: [0-9a-f]{16} \(echoed\)\n;; QUESTION/,
    );
    expect(result.stdout).not.toContain('recursion requested');
    expect((await run(['dig', '+nocookie', 'example.org'])).stdout).not.toContain('COOKIE');
  });

  it('asks a server on another port, by its name', async () => {
    const { run } = await client();
    await serveFakeDns(pods.right, { port: 5353 });
    const result = await run(['dig', '@localhost', '-p', '5353', '+tries=1', WEB]);
    expect(result.stdout).toContain(';; communications error to 127.0.0.1#5353: connection refused\n');
    expect((await run(['dig', `@${RIGHT_ADDRESS}`, '-p', '5353', '+short', WEB])).stdout).toBe('10.96.0.5\n');
  });

  it('looks each name up in turn, with options of its own', async () => {
    const { run } = await client();
    const result = await run([
      'dig',
      '+noall',
      '+answer',
      'example.org',
      'MX',
      '-x',
      '10.96.0.5',
      'nosuch.x',
      '+comments',
    ]);
    expect(result.stdout).toMatch(
      /^example\.org\.\t\t5\tIN\tMX\t10 mail\.example\.org\.\n5\.0\.96\.10\.in-addr\.arpa\.\t5\tIN\tPTR\tweb\.default\.svc\.cluster\.local\.\n;; Got answer:\n.*status: NXDOMAIN/,
    );
  });

  it('ends at a signal while it waits', async () => {
    const { container, run } = await client();
    const result = run(['dig', '+time=600', 'silent.x']);
    const find = () => container.view.processes.list().find(({ argv }) => argv[0] === 'dig');
    find()?.deliver('SIGINT');
    expect((await result).code).toBe(130);
  });
});

describe('host', () => {
  it('tries twice by default', async () => {
    const { run, asked } = await client();
    const result = await run(['host', '-W', '1', 'silent.x.']);
    const failure = `;; communications error to ${RIGHT_ADDRESS}#53: timed out\n`;
    expect(result).toEqual({ stdout: `${failure}${failure};; no servers could be reached\n`, stderr: '', code: 1 });
    expect(asked).toHaveLength(2);
  });

  it('asks for addresses of both kinds and for mail, of the name that an alias leads to', async () => {
    const { run, asked } = await client();
    await run(['host', 'ext']);
    expect(asked).toEqual(['UDP ext.default.svc.cluster.local A', 'UDP example.org AAAA', 'UDP example.org MX']);
  });
});

describe('nslookup of bind', () => {
  it('takes commands from standard input', async () => {
    const { run } = await client({ recursionAvailable: true });
    const input = 'example.org\nset type=MX\nexample.org\nserver 10.244.1.3\nexit\n';
    const server = `Server:\t\t${RIGHT_ADDRESS}\nAddress:\t${RIGHT_ADDRESS}#53\n\n`;
    expect((await run(['nslookup'], input)).stdout).toBe(
      `${server}Name:\texample.org\nAddress: 93.184.216.34\n` +
        `${server}example.org\tmail exchanger = 10 mail.example.org.\n` +
        `Default server: ${RIGHT_ADDRESS}\nAddress: ${RIGHT_ADDRESS}#53\n\n`,
    );
  });

  it('asks the next server after a failure, and says so', async () => {
    pods = podPair();
    await serveFakeDns(pods.left, { recursionAvailable: true, intercept: () => 2 });
    await serveFakeDns(pods.right, { recursionAvailable: true });
    const { run } = startTestContainer({
      network: pods.left,
      programs: ALL_NETWORK,
      resolvConf: `nameserver ${LEFT_ADDRESS}\nnameserver ${RIGHT_ADDRESS}\n`,
    });
    const result = await run(['nslookup', '-type=A', 'example.org']);
    expect(result.stdout).toBe(
      `;; Got SERVFAIL reply from ${LEFT_ADDRESS}, trying next server\n` +
        `Server:\t\t${RIGHT_ADDRESS}\nAddress:\t${RIGHT_ADDRESS}#53\n\nName:\texample.org\nAddress: 93.184.216.34\n\n`,
    );
  });
});

describe('nslookup of busybox', () => {
  it('gives up when nothing comes', async () => {
    const { run } = await client();
    const result = await run(['bnslookup', '-timeout=1', 'silent.x']);
    expect(result).toEqual({
      stdout: ';; connection timed out; no servers could be reached\n\n',
      stderr: '',
      code: 1,
    });
  });

  it('takes datagrams only: a truncated answer is an empty one', async () => {
    const { run, asked } = await client();
    expect((await run(['bnslookup', BIG])).stdout).toBe(
      `Server:\t\t${RIGHT_ADDRESS}\nAddress:\t${RIGHT_ADDRESS}:53\n\n\n\n`,
    );
    expect(asked).toEqual([`UDP ${BIG} A`, `UDP ${BIG} AAAA`]);
  });

  it('says when the answer is not from who keeps the zone', async () => {
    const { run } = await client({ authoritative: false });
    for (const program of ['nslookup', 'bnslookup']) {
      const { stdout } = await run([program, '-type=a', WEB]);
      expect(stdout).toContain(`\n\nNon-authoritative answer:\nName:\t${WEB}\nAddress: 10.96.0.5\n`);
    }
  });
});
