/**
 * CoreDNS on a real cluster: Debian's own clients on a port of this machine, a change of the Corefile without a lost query, and the end
 * of a replica.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../contract/nats-server.ts';
import { kernelLacks } from '../interop/kernel-lacks.ts';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { type CommandResult, run } from './run-command.ts';

const API_NAME = 'kubernetes.default.svc.cluster.local';
/** A resolver's time-out for one server (resolv.conf(5)), and what a busy machine adds. */
const RETRY_MS = 5000 + 10_000;

/** CoreDNS looks every 30 s. */
const RELOAD_LIMIT_MS = 30_000 + 60_000;

/** Of a port that `getent` may ask: libc knows no other one than 53. */
const ADDRESS = '127.0.0.153';
const DNS_PORT = 53;

const noNetns = await kernelLacks(['ip', 'unshare', 'nsenter', 'setpriv', 'setsid', 'mount'], ['tun']);
let cluster: TestCluster | undefined;
let port = 0;

beforeAll(async () => {
  port = (await isFree(DNS_PORT)) ? DNS_PORT : await freePort();
  const netns = noNetns === undefined ? ['--allow-netns'] : [];
  cluster = await TestCluster.start({ nodes: 2, arguments: ['--dns-listen', `${ADDRESS}:${port}`, ...netns] });
});
afterAll(async () => {
  await cluster?.down();
});

/** Whether this process may have it, for both transports. */
async function isFree(wanted: number): Promise<boolean> {
  const udp = createSocket('udp4');
  const tcp = createServer();
  const bound = [once(udp, 'listening'), once(tcp, 'listening')];
  udp.bind(wanted, ADDRESS);
  tcp.listen(wanted, ADDRESS);
  const outcomes = await Promise.allSettled(bound);
  await Promise.allSettled([new Promise<void>((closed) => udp.close(closed)), once(tcp.close(), 'close')]);
  return outcomes.every(({ status }) => status === 'fulfilled');
}

function clusterTest(name: string, body: (cluster: TestCluster) => Promise<void>): void {
  test(name, async (context) => {
    if (cluster === undefined) return context.skip('no kubectl on this machine');
    await body(cluster);
  });
}

/** A pod whose shell asks for names until it is gone, a line of its log a question. */
function asking(name: string, command: string): string {
  const script = `while true; do if ${command} >/dev/null 2>&1; then echo ok; else echo FAIL; fi; sleep 0.05; done`;
  const containers = [{ name: 'c', image: 'netshoot', command: ['sh', '-c', script] }];
  const body = { terminationGracePeriodSeconds: 1, containers };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: body });
}

async function log(c: TestCluster, pod: string): Promise<{ readonly atMs: number; readonly ok: boolean }[]> {
  const lines = (await c.kubectlOut(['logs', pod, '--timestamps'])).trim().split('\n');
  return lines.map((line) => ({ atMs: Date.parse(line.split(' ')[0] ?? ''), ok: line.endsWith('ok') }));
}

async function start(c: TestCluster, pod: string, command: string): Promise<void> {
  await c.apply(asking(pod, command));
  await c.waitForField(['pod', pod], '{.status.phase}', 'Running');
  await waitFor('its first answers', async () => (await log(c, pod)).filter(({ ok }) => ok).length > 5);
}

interface ToolCase {
  readonly program: string;
  /** To the port of this machine. */
  readonly outside: (port: number) => readonly string[];
  /** In a pod, whose resolv.conf says whom to ask, and the search list. */
  readonly inside: readonly string[];
  readonly expected: RegExp;
}

const SRV_NAME = `_https._tcp.${API_NAME}`;
const at = (wanted: number): string[] => [`@${ADDRESS}`, '-p', String(wanted)];

const TOOLS: readonly ToolCase[] = [
  {
    program: 'dig',
    outside: (wanted) => [...at(wanted), '+short', API_NAME],
    inside: ['+short', '+search', 'kubernetes.default'],
    expected: /^10\.96\.0\.1\n$/,
  },
  {
    program: 'dig',
    outside: (wanted) => [...at(wanted), '+short', '+tcp', '-t', 'SRV', SRV_NAME],
    inside: ['+short', '+tcp', '-t', 'SRV', SRV_NAME],
    expected: /^0 100 443 kubernetes\.default\.svc\.cluster\.local\.\n$/,
  },
  {
    program: 'dig',
    outside: (wanted) => [...at(wanted), '+short', '-x', '10.96.0.10'],
    inside: ['+short', '-x', '10.96.0.10'],
    expected: /^kube-dns\.kube-system\.svc\.cluster\.local\.\n$/,
  },
  {
    program: 'dig',
    outside: (wanted) => [...at(wanted), '+noall', '+comments', 'AXFR', 'cluster.local'],
    inside: ['+noall', '+comments', 'AXFR', 'cluster.local'],
    expected: /Transfer failed|REFUSED/,
  },
  {
    program: 'nslookup',
    outside: (wanted) => [`-port=${wanted}`, API_NAME, ADDRESS],
    inside: ['kubernetes.default'],
    expected: /Name:\s+kubernetes\.default\.svc\.cluster\.local\nAddress: 10\.96\.0\.1\n/,
  },
  {
    program: 'nslookup',
    outside: (wanted) => [`-port=${wanted}`, `nothing.${API_NAME}`, ADDRESS],
    inside: [`nothing.${API_NAME}.`],
    expected: /\*\* server can't find nothing\.kubernetes\.default\.svc\.cluster\.local\.?: NXDOMAIN/,
  },
  {
    program: 'host',
    outside: (wanted) => ['-p', String(wanted), API_NAME, ADDRESS],
    inside: ['kubernetes.default.svc'],
    expected: /^kubernetes\.default\.svc\.cluster\.local has address 10\.96\.0\.1$/m,
  },
  {
    program: 'host',
    outside: (wanted) => ['-p', String(wanted), '10.96.0.1', ADDRESS],
    inside: ['10.96.0.1'],
    expected: /^1\.0\.96\.10\.in-addr\.arpa domain name pointer kubernetes\.default\.svc\.cluster\.local\.$/m,
  },
  {
    program: 'getent',
    outside: () => ['hosts', 'kubernetes.default'],
    inside: ['hosts', 'kubernetes.default'],
    expected: /^10\.96\.0\.1\s+kubernetes\.default\.svc\.cluster\.local\n$/,
  },
  {
    program: 'getent',
    outside: () => ['hosts', '10.96.0.10'],
    inside: ['hosts', '10.96.0.10'],
    expected: /^10\.96\.0\.10\s+kube-dns\.kube-system\.svc\.cluster\.local\n$/,
  },
];

const shown = (words: readonly string[]): string => words.join(' ').replaceAll(/^@\S+ -p 1 |-port=1 |-p 1 /g, '');

describe("Debian's resolvers at the port of this machine", () => {
  test.each(TOOLS.map((tool) => ({ ...tool, words: shown(tool.outside(1)) })))(
    '$program $words',
    async ({ program, outside, expected }) => {
      const reason = (await whyNot(program)) ?? (program === 'getent' ? noServerForLibc() : undefined);
      if (reason !== undefined) {
        console.log(`skipped: ${program} at the port of this machine: ${reason}`);
        return;
      }
      const command = [program, ...outside(port)];
      const { stdout } = await (program === 'getent' ? runWithServer(command) : run(program, outside(port)));
      expect(stdout).toMatch(expected);
    },
  );
});

describe("Debian's resolvers in a netns pod", () => {
  beforeAll(async () => {
    if (cluster === undefined || noNetns !== undefined) return;
    const containers = [{ name: 'c', image: 'debian', command: ['sleep', '1000'] }];
    const spec = { runtimeClassName: 'netns', terminationGracePeriodSeconds: 1, containers };
    await cluster.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'tools' }, spec }));
    await cluster.waitForField(['pod', 'tools'], '{.status.phase}', 'Running');
  });

  test.each(TOOLS.map((tool) => ({ ...tool, words: shown(tool.inside) })))(
    '$program $words',
    async ({ program, inside, expected }) => {
      const reason = noNetns ?? (await whyNot(program));
      if (reason !== undefined || cluster === undefined) {
        console.log(`skipped: ${program} in a netns pod: ${reason}`);
        return;
      }
      const c = cluster;
      // A pod that has just come may be there before the rules that lead to its name server.
      await waitFor(`${program} in the pod`, async () => {
        const { stdout } = await c.kubectl(['exec', 'tools', '--', program, ...inside]);
        return expected.test(stdout);
      });
    },
  );
});

async function whyNot(program: string): Promise<string | undefined> {
  if (cluster === undefined) return 'no kubectl on this machine';
  return (await run('which', [program])).code === 0 ? undefined : `no ${program} on this machine`;
}

function noServerForLibc(): string | undefined {
  return noNetns ?? (port === DNS_PORT ? undefined : `port ${DNS_PORT} of ${ADDRESS} cannot be had`);
}

/** With a resolv.conf of the command's own, which it sees alone, as a pod's of that namespace would be. */
function runWithServer(command: readonly string[]): Promise<CommandResult> {
  const folder = mkdtempSync(join(tmpdir(), 'pw-dns-'));
  const file = join(folder, 'resolv.conf');
  writeFileSync(
    file,
    `nameserver ${ADDRESS}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`,
  );
  const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
  return run('unshare', ['--mount', 'sh', '-c', script, file, ...command]).finally(() =>
    rmSync(folder, { recursive: true }),
  );
}

describe('--dns-listen', () => {
  test('a port that is taken stops the start with one sentence', async () => {
    if (cluster === undefined) return;
    const second = await cluster.podwire(['up', '--detach', '--name', 'second', '--dns-listen', `${ADDRESS}:${port}`]);
    expect(second.code).toBe(1);
    expect(second.stderr).toBe(
      `podwire: --dns-listen ${ADDRESS}:${port}: the port is taken by another process: choose another one\n`,
    );
  });

  clusterTest('says in its log how names outside the cluster are let out', async (c) => {
    const answer = await run('dig', [`@${ADDRESS}`, '-p', String(port), '+noall', '+comments', 'example.com']);
    expect(answer.stdout).toContain('status: SERVFAIL');
    await waitFor('the line in the log', () =>
      c.logTails(200).includes('start the cluster with --egress host to ask them'),
    );
  });
});

describe('in the cluster', () => {
  clusterTest('a change of the Corefile is there by itself, and no question is lost', async (c) => {
    // One question and one answer: a lost one fails.
    await start(c, 'loop', `dig +tries=1 +time=15 +short ${API_NAME}. | grep -q 10.96.0.1`);
    const corefile = await c.kubectlOut([
      '-n',
      'kube-system',
      'get',
      'configmap',
      'coredns',
      '-o',
      'jsonpath={.data.Corefile}',
    ]);
    const changed = corefile.replace(
      '    prometheus',
      '    hosts {\n       192.0.2.99 new.lab\n       fallthrough\n    }\n    prometheus',
    );
    const folder = mkdtempSync(join(tmpdir(), 'pw-dns-'));
    const patch = join(folder, 'patch.json');
    writeFileSync(patch, JSON.stringify({ data: { Corefile: changed } }));
    const beganMs = Date.now();
    await c.kubectlOut(['-n', 'kube-system', 'patch', 'configmap', 'coredns', '--type=merge', '--patch-file', patch]);
    rmSync(folder, { recursive: true });
    const lines = async (): Promise<number> => {
      const logs = await c.kubectlOut(['-n', 'kube-system', 'logs', '-l', 'k8s-app=kube-dns', '--tail=-1']);
      return logs.split('\n').filter((line) => line.includes('Reloading complete')).length;
    };
    await waitFor('both replicas to reload', async () => (await lines()) === 2, RELOAD_LIMIT_MS);
    const asked = await c.kubectlOut(['exec', 'loop', '--', 'dig', '+short', 'new.lab.']);
    expect(asked).toBe('192.0.2.99\n');
    const answers = await log(c, 'loop');
    expect(answers.filter(({ ok }) => !ok)).toEqual([]);
    expect(answers.filter(({ atMs }) => atMs > beganMs).length).toBeGreaterThan(20);
    await c.kubectlOut(['delete', 'pod', 'loop', '--now']);
  });

  clusterTest('the end of one replica loses no name for longer than a retry', async (c) => {
    await start(c, 'resolving', `getent hosts ${API_NAME}`);
    const replica = await waitFor('a replica to be shown', async () => {
      const { processes } = JSON.parse((await c.podwire(['status', '-o', 'json'])).stdout) as {
        readonly processes: readonly { readonly name: string; readonly pod?: string; readonly pid?: number }[];
      };
      return processes.find(({ name, pod }) => name === 'coredns' && pod !== undefined)?.pid;
    });
    const killedMs = Date.now();
    process.kill(replica, 'SIGKILL');
    const answers = await waitFor('answers after it', async () => {
      const all = await log(c, 'resolving');
      return all.some(({ atMs, ok }) => ok && atMs > killedMs + RETRY_MS) ? all : undefined;
    });
    let goodMs = 0;
    for (const { atMs, ok } of answers) {
      if (!ok) continue;
      // Between one answer and the next there is a retry at most.
      if (goodMs > 0 && atMs > killedMs) expect(atMs - goodMs).toBeLessThan(RETRY_MS);
      goodMs = atMs;
    }
    await c.kubectlOut(['delete', 'pod', 'resolving', '--now']);
  });
});
