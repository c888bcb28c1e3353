/** `podwire link` on a cluster of real processes: a delay that ping shows, a cut, an end by itself, and clear. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { documentedCommands, scriptOf } from './documented-commands.ts';

const cluster = await TestCluster.start({ nodes: 2 });

const ROOT = resolve(import.meta.dirname, '../..');
const LAB = join(ROOT, 'labs/link-faults');
const PODS = readFileSync(join(LAB, 'pods.yaml'), 'utf8');

interface Row {
  readonly from: string;
  readonly to: string;
  readonly seed: number;
  readonly remainingMs?: number;
  readonly impairment: { readonly delayUs: number; readonly partition: boolean; readonly loss: number };
  readonly counters: { readonly delayed: number; readonly dropped: Readonly<Record<string, number>> };
}

describe.skipIf(cluster === undefined)('podwire link', () => {
  const { podwire, kubectl } = {
    podwire: async (args: readonly string[]) => {
      const result = await cluster!.podwire(args);
      expect(result.code, result.stderr).toBe(0);
      return result.stdout;
    },
    kubectl: (args: readonly string[]) => cluster!.kubectl(args),
  };
  let server = '';

  async function show(): Promise<Row[]> {
    return JSON.parse(await podwire(['link', 'show', '-o', 'json']));
  }

  /** The shortest of a few round trips, in milliseconds. */
  async function pingMs(): Promise<number> {
    const { stdout } = await kubectl(['exec', 'client', '--', 'ping', '-c', '5', '-i', '0.2', server]);
    return Number(/min\/avg\/max\/mdev = ([\d.]+)\//.exec(stdout)?.[1] ?? Number.NaN);
  }

  async function curlCode(): Promise<number> {
    return (await kubectl(['exec', 'client', '--', 'curl', '-s', '-m', '2', '-o', '/dev/null', `http://${server}`]))
      .code;
  }

  beforeAll(async () => {
    await cluster!.apply(PODS);
    for (const pod of ['client', 'server']) await cluster!.waitForField(['pod', pod], '{.status.phase}', 'Running');
    server = await cluster!.kubectlOut(['get', 'pod', 'server', '-o', 'jsonpath={.status.podIP}']);
    await waitFor('the server', async () => (await curlCode()) === 0);
  });
  afterAll(() => cluster?.down());

  it('a delay of both directions shows twice in a round trip, in the table and in the counters', async () => {
    const table = await podwire(['link', 'set', 'worker-1', 'worker-2', '--delay', '40ms', '--seed', '42']);
    expect(table).toMatch(/^FROM +TO +FAULT +ENDS-IN +SEED/);
    expect(table).toMatch(/^worker-2 +worker-1 +delay 40ms +- +42 /m);
    expect(await pingMs()).toBeGreaterThanOrEqual(80);
    const [there] = await show();
    expect(there).toMatchObject({ from: 'worker-1', to: 'worker-2', seed: 42, impairment: { delayUs: 40_000 } });
    expect(there!.counters.delayed).toBeGreaterThanOrEqual(5);
  });

  it('a partition for a while cuts, ends on the node by itself, and leaves the delay', async () => {
    // On a busy machine it may be over before all has been looked at: then it is cut again.
    const cut = await waitFor('a request during the partition', async () => {
      await podwire(['link', 'set', 'worker-1', 'all', '--partition', '--direction', 'to', '--for', '15s']);
      const code = await curlCode();
      const row = (await show()).find(({ impairment }) => impairment.partition);
      if (row !== undefined) expect(code).toBe(28);
      return row;
    });
    expect(cut).toMatchObject({ from: 'worker-1', to: 'worker-2' });
    expect(cut.remainingMs).toBeLessThanOrEqual(15_000);
    expect(cut.counters.dropped['link-partition']).toBeGreaterThan(0);
    await waitFor(
      'the end of the partition',
      async () => !(await show()).some(({ impairment }) => impairment.partition),
    );
    expect((await show()).map(({ impairment }) => impairment.delayUs)).toEqual([40_000, 40_000]);
    await waitFor('an answer', async () => (await curlCode()) === 0);
  });

  it('a fault at a pod concerns that pod', async () => {
    await podwire(['link', 'clear', 'worker-1', 'worker-2']);
    const table = await podwire(['link', 'set', '--pod', 'server', '--delay', '60ms', '--direction', 'to']);
    expect(table).toMatch(/^worker-2 +default\/server +delay 60ms /m);
    expect(await pingMs()).toBeGreaterThanOrEqual(60);
    await podwire(['link', 'set', '--node', 'worker-1', '--device', 'flannel.1', '--partition']);
    expect(await curlCode()).toBe(28);
  });

  it('clear --all makes everything well again', async () => {
    expect(await podwire(['link', 'clear', '--all'])).toContain('worker-2 -> default/server is well again');
    expect(await podwire(['link', 'show'])).toBe('no link has a fault\n');
    await waitFor('an answer', async () => (await curlCode()) === 0);
    await waitFor('round trips without the delay', async () => (await pingMs()) < 60);
  });

  it('a node that starts anew has no faults', async () => {
    await podwire(['link', 'set', 'worker-1', 'worker-2', '--loss', '5%']);
    await podwire(['node', 'kill', 'worker-2']);
    const refused = await cluster!.podwire(['link', 'set', 'worker-1', 'worker-2', '--loss', '6%']);
    expect(refused).toMatchObject({
      code: 1,
      stderr: 'podwire: node worker-2 is down and has no links: podwire node start worker-2\n',
    });
    await podwire(['node', 'start', 'worker-2']);
    await waitFor('worker-2', async () => (await cluster!.podwire(['link', 'show'])).code === 0);
    expect((await show()).map(({ from }) => from)).toEqual(['worker-1']);
    await podwire(['link', 'clear', '--all']);
  });

  it.each([
    [['worker-1', 'worker-9', '--loss', '1%'], "there is no node 'worker-9': the nodes are worker-1, worker-2"],
    [['worker-1', '--loss', '1%'], 'a link has two ends, not 1'],
    [['worker-1', 'worker-1', '--loss', '1%'], "there is no link between 'worker-1' and 'worker-1'"],
    [['worker-1', 'worker-2'], 'what is to be wrong with the link?'],
    [['--loss', '1%'], 'which link? name two nodes'],
    [['--node', 'worker-1', '--loss', '1%'], '--node and --device go together'],
    [['--pod', 'default/nobody', '--loss', '1%'], 'there is no pod default/nobody'],
    [['--pod', 'a/b/c', '--loss', '1%'], '--pod a/b/c: expected NAMESPACE/POD'],
    [['--node', 'worker-1', '--device', 'eth9', '--loss', '1%'], "worker-1 has no device 'eth9' that can have faults"],
    [['worker-1', 'worker-2', '--reorder', '5%'], '--reorder needs a --delay'],
    [['worker-1', 'worker-2', '--limit', '50'], '--limit alone changes nothing: it goes with --rate'],
    [['worker-1', 'worker-2', '--delay', '20'], "option '--delay <time>' argument '20' is invalid"],
    [['worker-1', 'worker-2', '--rate', 'fast'], "option '--rate <rate>' argument 'fast' is invalid"],
    [['worker-1', 'worker-2', '--loss', '1%', '--for', '30'], "option '--for <duration>' argument '30' is invalid"],
  ])('refuses %j in one sentence', async (args, message) => {
    const { code, stdout, stderr } = await cluster!.podwire(['link', 'set', ...args]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(await show()).toEqual([]);
  });

  it('the commands of the lab work as they stand there', async () => {
    const script = `shopt -s expand_aliases\n${scriptOf(documentedCommands(join(LAB, 'README.md')))}`;
    const result = await cluster!.shell(script);
    expect(result.code, `${result.stdout}\n${result.stderr}`).toBe(0);
    expect(result.stdout).toContain('held for 20.0 ms');
    expect(result.stdout).toMatch(/^200 after /m);
    expect(result.stdout).toMatch(/^cut off$/m);
    expect(result.stdout).toMatch(/^well again$/m);
  });
});
