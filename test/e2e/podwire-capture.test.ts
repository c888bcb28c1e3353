/**
 * `podwire capture`: a request between nodes, captured on both and in a pod, read by tshark with all checksums checked; the
 * comments; packets that were dropped; and a reader that does not read.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { run } from './run-command.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const MANIFEST = resolve(ROOT, 'labs/first-steps/web.yaml');
const MEBIBYTE = 1024 * 1024;

const tshark = (await run('tshark', ['--version'])).code === 0;
if (!tshark) console.warn('test/e2e/podwire-capture skipped: tshark is not on PATH');
const cluster = tshark ? await TestCluster.start() : undefined;
const folder = mkdtempSync(join(tmpdir(), 'pw-capture-'));

interface RunningCapture {
  readonly process: ChildProcess;
  /** What it said on standard error. */
  readonly said: () => string;
  /** Ctrl-C; its last lines. */
  interrupt(): Promise<string>;
}

function capture(...args: string[]): Promise<RunningCapture> {
  return startCapture([process.execPath, join(ROOT, 'cli/main.ts')], args);
}

async function startCapture([program = '', ...before]: string[], args: readonly string[]): Promise<RunningCapture> {
  const env = { ...process.env, PODWIRE_HOME: cluster!.home, PODWIRE_CLUSTER: 'e2e' };
  const child = spawn(program, [...before, 'capture', ...args], { env, stdio: 'pipe' });
  let text = '';
  child.stderr.on('data', (data: Buffer) => {
    text += data.toString();
  });
  await waitFor('the capture to begin', () => text.includes('capturing on') || child.exitCode !== null);
  const interrupt = async (): Promise<string> => {
    // Not `exit`: what it said last may still be on its way then.
    const ended = once(child, 'close');
    child.kill('SIGINT');
    await ended;
    return text;
  };
  return { process: child, said: () => text, interrupt };
}

/** Rows of fields of the packets that fit a display filter; the innermost occurrence of each. */
async function decode(file: string, filter: string, ...fields: string[]): Promise<string[][]> {
  const checks = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
  const columns = fields.flatMap((field) => ['-e', field]);
  const selection = ['-Y', filter, '-T', 'fields', '-E', 'occurrence=l', ...columns];
  const { code, stdout, stderr } = await run('tshark', ['-r', file, ...checks, ...selection]);
  expect(code, stderr).toBe(0);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t'));
}

async function podName(app: string): Promise<string> {
  const query = ['get', 'pod', '-l', `app=${app}`, '-o', 'jsonpath={.items[0].metadata.name}'];
  return cluster!.kubectlOut(query);
}

const shell = (script: string) => cluster!.kubectlOut(['exec', 'deploy/frontend', '--', 'sh', '-c', script]);

/** Bytes of memory that a process holds. */
async function residentBytes(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Number(stdout) * 1024;
}

describe.skipIf(cluster === undefined)('podwire capture', () => {
  let frontend = '';

  beforeAll(async () => {
    await cluster!.kubectlOut(['apply', '-f', MANIFEST]);
    for (const name of ['backend', 'frontend']) {
      await cluster!.kubectlOut(['rollout', 'status', `deployment/${name}`, '--timeout=120s']);
    }
    frontend = await podName('frontend');
  });

  afterAll(async () => {
    await cluster!.down();
    rmSync(folder, { recursive: true, force: true });
  });

  it('shows requests on all nodes, whole, in the order of time and with good checksums', async () => {
    const file = join(folder, 'all.pcapng');
    const running = await capture('-o', file, 'not arp');
    // One of three servers is on the client's node: chance would have to choose it each time.
    await shell('for i in $(seq 15); do curl -s http://backend/hostname; done');
    const last = await running.interrupt();
    expect(last).toMatch(/\n(\d+) packets captured\n\1 packets received by filter\n0 packets dropped by capture\n$/);
    expect(await decode(file, '_ws.malformed', 'frame.number')).toEqual([]);
    expect(await decode(file, 'ip.checksum.status == "Bad"', 'frame.number')).toEqual([]);
    for (const protocol of ['tcp', 'udp']) {
      const states = await decode(file, protocol, `${protocol}.checksum.status`);
      expect(new Set(states.flat()), protocol).toEqual(new Set(['1']));
    }
    const times = (await decode(file, 'frame', 'frame.time_epoch')).flat();
    expect(times.length).toBeGreaterThan(50);
    expect(times).toEqual([...times].sort());
    const requests = await decode(file, 'tcp contains "GET /hostname"', 'frame.interface_name', 'frame.comment');
    const interfaces = new Set(requests.map(([name]) => name!.replace(/veth\w+/, 'veth')));
    expect([...interfaces].filter((name) => /^worker-\d eth0$/.test(name)).length).toBeGreaterThan(1);
    for (const device of ['cni0', 'flannel.1', 'veth']) {
      expect(
        [...interfaces].some((name) => name.endsWith(` ${device}`)),
        device,
      ).toBe(true);
    }
    const named = requests.map(([, comment]) => comment).filter((comment) => comment?.includes('DNAT'));
    expect(named[0]).toMatch(new RegExp(`default/${frontend} > (service )?default/backend.*TCP ESTABLISHED, original`));
    const nested = await decode(file, 'vxlan && tcp contains "GET /hostname"', 'ip.dst');
    expect(nested.length).toBeGreaterThan(0);
  });

  it('streams the packets of one pod to standard output, and ends by itself', async () => {
    const { process: child, said } = await capture('--pod', frontend, '-c', '4', 'udp port 53');
    const file = join(folder, 'stdout.pcapng');
    const { createWriteStream } = await import('node:fs');
    const written = child.stdout!.pipe(createWriteStream(file));
    const ended = Promise.all([once(child, 'close'), once(written, 'finish')]);
    await shell('for i in 1 2; do curl -s http://backend/hostname; done');
    await ended;
    expect(said()).toContain('4 packets captured');
    const rows = await decode(file, 'frame', 'frame.interface_name', 'dns.flags.response');
    expect(rows.map(([name]) => name)).toEqual(new Array(4).fill(`default/${frontend} eth0`));
    expect((await decode(file, 'udp.checksum.status != 1', 'frame.number')).length).toBe(0);
  });

  it('shows a dropped packet with the reason', async () => {
    const file = join(folder, 'dropped.pcapng');
    const running = await capture('--pod', frontend, '-o', file);
    const address = await cluster!.kubectlOut(['get', 'pod', frontend, '-o', 'jsonpath={.status.podIP}']);
    await cluster!.podwire(['node', 'exec', 'worker-1', '--', 'sh', '-c', `echo x | nc -u -w 1 ${address} 9`]);
    await running.interrupt();
    const dropped = await decode(file, 'frame.interface_name contains "dropped"', 'udp.dstport', 'frame.comment');
    expect(dropped[0]?.[0]).toBe('9');
    expect(dropped[0]?.[1]).toContain(`dropped at default/${frontend} udp: udp-no-socket`);
  });

  it('keeps within its memory when nobody reads, counts what it drops, and lets the packets themselves pass', async () => {
    const running = await capture('--node', 'worker-1', '--node', 'worker-2', '--node', 'worker-3', 'tcp');
    const status = JSON.parse((await cluster!.podwire(['status', '-o', 'json'])).stdout) as {
      processes: { name: string; pid: number }[];
    };
    const agents = status.processes.filter(({ name }) => name.startsWith('worker-'));
    await shell('curl -s http://backend/hostname');
    const before = await Promise.all([running.process, ...agents].map(({ pid }) => residentBytes(pid!)));
    // Nobody reads the capture's standard output; the traffic goes on.
    const upload =
      'head -c 3000000 /dev/zero | curl -s --data-binary @- -o /dev/null -w "%{http_code} " http://backend/';
    const answers = await shell(`for i in 1 2 3 4 5 6; do ${upload}; done`);
    expect(answers.trim().split(' ')).toEqual(new Array(6).fill('200'));
    const after = await Promise.all([running.process, ...agents].map(({ pid }) => residentBytes(pid!)));
    after.forEach((bytes, index) => {
      expect(bytes - before[index]!).toBeLessThan(48 * MEBIBYTE);
    });
    running.process.stdout!.resume();
    const last = await running.interrupt();
    const counts = /(\d+) packets captured\n(\d+) packets received by filter\n(\d+) packets dropped/.exec(last);
    const [captured, received, dropped] = (counts ?? []).slice(1).map(Number);
    expect(captured! + dropped!).toBe(received);
    expect(dropped!).toBeGreaterThan(0);
  });

  it('ends when its reader leaves, even before the nodes have taken it up', async () => {
    const env = { ...process.env, PODWIRE_HOME: cluster!.home, PODWIRE_CLUSTER: 'e2e' };
    const child = spawn(process.execPath, [join(ROOT, 'cli/main.ts'), 'capture'], { env });
    const ended = once(child, 'close');
    child.stdout.destroy();
    expect((await ended)[0]).toBe(0);
  });

  it('ends in order with a signal to the command alone, whatever Node runs it', async () => {
    const running = await startCapture([join(ROOT, 'cli/bin/podwire.mjs')], ['-o', join(folder, 'signal.pcapng')]);
    expect(await running.interrupt()).toContain('packets captured');
    expect(running.process.exitCode).toBe(0);
  });

  it('writes nothing when it cannot begin', async () => {
    const { code, stdout } = await cluster!.podwire(['capture', '--node', 'worker-1', '--device', 'eth7']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  it('refuses what it cannot do with one sentence', async () => {
    const refused = async (...args: string[]) =>
      (await cluster!.podwire(['capture', '-o', '/dev/null', ...args])).stderr;
    expect(await refused('port')).toContain('a port from 0 to 65535 is expected (character 5 of the filter)');
    expect(await refused('--node', 'worker-9')).toContain("no node 'worker-9' runs");
    expect(await refused('--node', 'worker-1', '--device', 'eth7')).toContain("there is no device 'eth7' on worker-1");
    expect(await refused('--pod', 'nobody')).toContain('pod default/nobody: ');
  });
});
