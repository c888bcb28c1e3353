/**
 * CoreDNS on a real cluster: Debian's own clients on a port of this machine, a change of the Corefile without a lost query, and the end
 * of a replica.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../contract/nats-server.ts';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { run } from './run-command.ts';

const API_NAME = 'kubernetes.default.svc.cluster.local';
/** A resolver's time-out for one server (resolv.conf(5)), and what a busy machine adds. */
const RETRY_MS = 5000 + 10_000;

/** CoreDNS looks every 30 s. */
const RELOAD_LIMIT_MS = 30_000 + 60_000;

let cluster: TestCluster | undefined;
let port = 0;

beforeAll(async () => {
  port = await freePort();
  cluster = await TestCluster.start({ nodes: 2, arguments: ['--dns-listen', `127.0.0.1:${port}`] });
});
afterAll(async () => {
  await cluster?.down();
});

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

describe('--dns-listen', () => {
  const tools: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['dig', ['+short', API_NAME], /^10\.96\.0\.1\n$/],
    [
      'dig',
      ['+short', '+tcp', '-t', 'SRV', `_https._tcp.${API_NAME}`],
      /^0 100 443 kubernetes\.default\.svc\.cluster\.local\.\n$/,
    ],
    ['dig', ['+short', '-x', '10.96.0.10'], /^kube-dns\.kube-system\.svc\.cluster\.local\.\n$/],
    ['dig', ['+noall', '+comments', 'AXFR', 'cluster.local'], /Transfer failed|REFUSED/],
    ['nslookup', [], /Name:\s+kubernetes\.default\.svc\.cluster\.local\nAddress: 10\.96\.0\.1\n/],
    ['host', [], /kubernetes\.default\.svc\.cluster\.local has address 10\.96\.0\.1\n/],
  ];
  test.each(tools)('%s %j of this machine gets its answer', async (program, args, expected) => {
    const probe = await run('which', [program]);
    if (cluster === undefined || probe.code !== 0) {
      console.log(`skipped: no ${cluster === undefined ? 'kubectl' : program} on this machine`);
      return;
    }
    const words = {
      dig: ['@127.0.0.1', '-p', String(port), ...args],
      nslookup: [`-port=${port}`, API_NAME, '127.0.0.1'],
      host: ['-p', String(port), API_NAME, '127.0.0.1'],
    }[program] as string[];
    expect((await run(program, words)).stdout).toMatch(expected);
  });

  test('a port that is taken stops the start with one sentence', async () => {
    if (cluster === undefined) return;
    const second = await cluster.podwire(['up', '--detach', '--name', 'second', '--dns-listen', `127.0.0.1:${port}`]);
    expect(second.code).toBe(1);
    expect(second.stderr).toBe(
      `podwire: --dns-listen 127.0.0.1:${port}: the port is taken by another process: choose another one\n`,
    );
  });

  clusterTest('says in its log how names outside the cluster are let out', async (c) => {
    const answer = await run('dig', ['@127.0.0.1', '-p', String(port), '+noall', '+comments', 'example.com']);
    expect(answer.stdout).toContain('status: SERVFAIL');
    expect(c.logTails(40)).toContain('start the cluster with --egress host to ask them');
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
    const { processes } = JSON.parse((await c.podwire(['status', '-o', 'json'])).stdout) as {
      readonly processes: readonly { readonly name: string; readonly pod?: string; readonly pid?: number }[];
    };
    const replica = processes.find(({ name, pod }) => name === 'coredns' && pod !== undefined);
    const killedMs = Date.now();
    process.kill(replica?.pid as number, 'SIGKILL');
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
