/**
 * flannel's backend `wireguard` on a real cluster: pods of two nodes talk, a capture of the real socket holds none of their
 * words, and datagrams that are sent again or changed on the way are dropped and counted.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { run } from './run-command.ts';
import { captureLacks, captureLoopback } from './wire-capture.ts';

const NODES = ['worker-1', 'worker-2'] as const;
const PODS = NODES.map(
  (node) => `
apiVersion: v1
kind: Pod
metadata: { name: on-${node}, labels: { app: probe } }
spec: { nodeName: ${node}, containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }] }
---`,
).join('');
const SECRET = 'words-for-nobody-else';

const folder = mkdtempSync(join(tmpdir(), 'pw-wg-'));
let cluster: TestCluster | undefined;

beforeAll(async () => {
  const choice = ['--cni', 'flannel', '--cni-backend', 'wireguard', '--io-batches', 'off'];
  cluster = await TestCluster.start({ nodes: 2, arguments: choice });
  await cluster?.apply(PODS);
  await cluster?.kubectlOut(['wait', 'pod', '-l', 'app=probe', '--for=condition=Ready', '--timeout=120s']);
});
afterAll(async () => {
  await cluster?.down();
  rmSync(folder, { recursive: true, force: true });
});

/** `/echo?msg=` of the far pod, from the near one. */
async function echo(c: TestCluster, message: string): Promise<string> {
  const far = await c.kubectlOut(['get', 'pod', 'on-worker-2', '-o', 'jsonpath={.status.podIP}']);
  const url = `http://${far}:8080/echo?msg=${message}`;
  const { stdout } = await c.kubectl(['exec', 'on-worker-1', '--', 'curl', '-s', '-m', '60', url]);
  return stdout;
}

async function onNode(c: TestCluster, node: string, ...command: string[]): Promise<string> {
  return (await c.podwire(['node', 'exec', node, '--', ...command])).stdout;
}

test('pods talk through flannel-wg, which the tools show as Linux does', async (context) => {
  if (cluster === undefined) return context.skip('no kubectl on this machine');
  const c = cluster;
  await waitFor('the pods to reach each other', async () => (await echo(c, 'hello')) === 'hello');
  expect(await onNode(c, 'worker-1', 'ip', 'link', 'show', 'flannel-wg')).toContain('mtu 1420');
  expect(await onNode(c, 'worker-1', 'ip', 'route')).toContain('10.244.0.0/16 dev flannel-wg scope link');
  const shown = await onNode(c, 'worker-1', 'wg', 'show');
  expect(shown).toMatch(
    /^interface: flannel-wg\n {2}public key: \S{44}\n {2}private key: \(hidden\)\n {2}listening port: 51820\n/,
  );
  expect(shown).toMatch(/\npeer: \S{44}\n {2}endpoint: 192\.168\.1\.11:51820\n {2}allowed ips: 10\.244\.2\.0\/24\n/);
  expect(shown).toMatch(/\n {2}latest handshake: .*\n {2}transfer: .* received, .* sent\n$/);
});

test('no word of theirs is on the real socket, and what is changed on the way is dropped and counted', async (context) => {
  if (cluster === undefined) return context.skip('no kubectl on this machine');
  const c = cluster;
  const lacks = await captureLacks();
  if (lacks !== undefined) return context.skip(lacks);
  const status = JSON.parse((await c.podwire(['status', '-o', 'json'])).stdout) as { nodes: { endpoint: string }[] };
  const hosts = status.nodes.map(({ endpoint }) => `host ${endpoint.split(':')[0]}`);
  const file = join(folder, 'wire.pcapng');
  const stop = await captureLoopback(`udp and (${hosts.join(' or ')})`, file);
  context.onTestFinished(stop);
  expect(await echo(c, SECRET)).toBe(SECRET);
  const decode = ['-r', file, '-d', 'udp.port==4789,vxlan', '-Y', 'wg.type == 4', '-T', 'fields', '-e', 'wg.counter'];
  await waitFor('the capture to have sealed packets', async () => {
    const { stdout } = await run('tshark', decode);
    return stdout.split('\n').filter(Boolean).length > 4;
  });
  await stop();
  expect(readFileSync(file).includes(SECRET)).toBe(false);

  const lost = async () => {
    const [link] = JSON.parse(await onNode(c, 'worker-2', 'ip', '-s', '-j', 'link', 'show', 'flannel-wg')) as {
      stats64: { rx: { dropped: number } };
    }[];
    return link!.stats64.rx.dropped;
  };
  const before = await lost();
  expect((await c.podwire(['link', 'set', 'worker-1', 'worker-2', '--duplicate', '100%'])).code).toBe(0);
  expect(await echo(c, SECRET)).toBe(SECRET);
  await waitFor('the copies to be counted', async () => (await lost()) > before);
  expect((await c.podwire(['link', 'clear', '--all'])).code).toBe(0);
});
