/**
 * Networks of `labs/cni` that are installed into a cluster without one: nodes get Ready, pods reach each other, and the API serves
 * what the network enforces. One by default, as flannel's has a test of its own; `PODWIRE_MATRIX=all` runs them all.
 */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

const FOLDER = resolve(import.meta.dirname, '../../labs/cni');
const SAMPLE = 'calico.yaml';
const manifests = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
const tested = process.env.PODWIRE_MATRIX === 'all' ? manifests : [SAMPLE];

/** A resource type that comes with the network. */
const BROUGHT: Readonly<Record<string, string>> = {
  'calico.yaml': 'tiers.projectcalico.org/default',
  'cilium.yaml': 'crd/ciliumnetworkpolicies.cilium.io',
};

/** What its daemon's pods show of the network. */
const TOOLS: Readonly<Record<string, readonly [command: readonly string[], shown: RegExp]>> = {
  'calico.yaml': [['ds/calico-node', '--', 'birdcl', 'show', 'protocols'], /Mesh_192_168_1_1\d .*Established/],
  'weave.yaml': [['ds/weave-net', '--', '/home/weave/weave', '--local', 'status', 'peers'], /worker-2/],
};

const PODS = ['worker-1', 'worker-2']
  .map(
    (node) => `
apiVersion: v1
kind: Pod
metadata: { name: on-${node}, labels: { app: probe } }
spec: { nodeName: ${node}, containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }] }
---`,
  )
  .join('');

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.down();
});

describe.each(tested)('labs/cni/%s', (name) => {
  it('brings a network to a cluster without one', { timeout: 300_000 }, async ({ skip }) => {
    cluster = await TestCluster.start({ nodes: 2, arguments: ['--cni', 'none'] });
    if (cluster === undefined) return skip('no kubectl');
    const c = cluster;
    expect((await c.kubectl(['get', 'tiers'])).stderr).toContain(`the server doesn't have a resource type "tiers"`);
    await c.apply(PODS);
    await c.kubectlOut(['apply', '-f', join(FOLDER, name)]);
    await c.kubectlOut(['wait', '--for=condition=Ready', 'node', '--all', '--timeout=120s']);
    await c.kubectlOut(['wait', 'pod', '-l', 'app=probe', '--for=condition=Ready', '--timeout=120s']);
    const far = await c.kubectlOut(['get', 'pod', 'on-worker-2', '-o', 'jsonpath={.status.podIP}']);
    const connect = ['exec', 'on-worker-1', '--', '/agnhost', 'connect', `${far}:8080`, '--timeout=2s'];
    await waitFor('the pods to reach each other', async () => (await c.kubectl(connect)).code === 0);
    const [command, shown] = TOOLS[name] ?? [];
    if (command !== undefined)
      await waitFor(`${command.join(' ')} to show ${shown}`, async () =>
        shown!.test((await c.kubectl(['exec', '-n', 'kube-system', ...command])).stdout),
      );
    const brought = BROUGHT[name];
    if (brought !== undefined)
      await waitFor(`${brought} to be served`, async () => (await c.kubectl(['get', brought])).code === 0);
  });
});
