/**
 * weave with a password on a real cluster: no word of the pods is on the real socket, what is sent again is dropped and counted, the
 * sleeve carries what the fast datapath does not, and a third node what two cannot send each other.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { run } from './run-command.ts';
import { captureLacks, captureLoopback } from './wire-capture.ts';

/** They stay where they are, however busy the machine is. */
const PODS = ['worker-1', 'worker-2']
  .map(
    (node) => `
apiVersion: v1
kind: Pod
metadata: { name: on-${node}, labels: { app: probe } }
spec:
  nodeName: ${node}
  tolerations: [{ operator: Exists }]
  containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }]
---`,
  )
  .join('');
const SECRET = 'words-for-nobody-else';

const folder = mkdtempSync(join(tmpdir(), 'pw-weave-'));
let cluster: TestCluster | undefined;
let url = '';

beforeAll(async () => {
  const choice = ['--cni', 'weave', '--set', 'env.WEAVE_PASSWORD=a secret of all', '--io-batches', 'off'];
  cluster = await TestCluster.start({ nodes: 3, nodesDie: true, arguments: choice });
  await cluster?.apply(PODS);
  await cluster?.kubectlOut(['wait', 'pod', '-l', 'app=probe', '--for=condition=Ready', '--timeout=120s']);
  const far = await cluster?.kubectlOut(['get', 'pod', 'on-worker-2', '-o', 'jsonpath={.status.podIP}']);
  url = `http://${far}:8080/echo?msg=${SECRET}`;
});
afterAll(async () => {
  await cluster?.down();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach((context) => {
  if (cluster === undefined) context.skip('no kubectl on this machine');
});

const heard = async () =>
  (await cluster!.kubectl(['exec', 'on-worker-1', '--', 'curl', '-sm5', url])).stdout === SECRET;
const weave = async (node: string, ...words: string[]) =>
  (await cluster!.podwire(['node', 'exec', node, '--', 'weave', ...words])).stdout;
const connection = async () =>
  (await weave('worker-1', 'status', 'connections')).split('\n').find((line) => line.includes('192.168.1.11')) ?? '';
const link = async (...words: string[]) => expect((await cluster!.podwire(['link', ...words])).code).toBe(0);

test('no word of the pods is on the real socket, and what comes twice is dropped and counted', async (context) => {
  await waitFor('the pods to reach each other', heard);
  await waitFor('the fast datapath', async () =>
    /established encrypted {3}fastdp [0-9a-f:]{17}\(worker-2\) encrypted=truemtu=1376/.test(await connection()),
  );
  const lacks = await captureLacks();
  if (lacks !== undefined) return context.skip(lacks);
  const file = join(folder, 'wire.pcapng');
  const stop = await captureLoopback('udp', file);
  context.onTestFinished(stop);
  await waitFor('an answer', heard);
  const decode = ['-r', file, '-d', 'udp.port==4789,vxlan', '-Y', 'esp', '-T', 'fields', '-e', 'esp.sequence'];
  await waitFor('the capture to have sealed packets', async () => {
    const { stdout } = await run('tshark', decode);
    return stdout.split('\n').filter(Boolean).length > 4;
  });
  await stop();
  expect(readFileSync(file).includes(SECRET)).toBe(false);

  const replayed = async () => {
    const { Router: router } = JSON.parse(await weave('worker-2', 'report'));
    const states = router.OverlayDiagnostics.fastdp.XfrmStates as { NickName: string; Replayed: number }[];
    return states.find(({ NickName: name }) => name === 'worker-1')?.Replayed ?? 0;
  };
  await link('set', 'worker-1', 'worker-2', '--duplicate', '100%');
  await waitFor('an answer', heard);
  await waitFor('the copies to be counted', async () => (await replayed()) > 0);
  await link('clear', '--all');
});

test('the sleeve carries what the fast datapath does not, for as long as it does not', async () => {
  await link('set', '--node', 'worker-1', '--device', 'vxlan-6784', '--loss', '100%');
  await waitFor('the sleeve', async () =>
    /established encrypted {3}sleeve .* encrypted=truemtu=1414/.test(await connection()),
  );
  await waitFor('the pods to reach each other', heard);
  await link('clear', '--all');
  await waitFor('the fast datapath', async () => / fastdp /.test(await connection()));
  await waitFor('the pods to reach each other', heard);
});

test('two nodes that cannot reach each other talk by way of the third', async () => {
  const way = async () => {
    const { Router: router } = JSON.parse(await weave('worker-1', 'report'));
    const peers = router.Peers as { Name: string; NickName: string }[];
    const routes = router.UnicastRoutes as { Dest: string; Via: string }[];
    const name = (nickname: string) => peers.find(({ NickName }) => NickName === nickname)?.Name;
    const via = routes.find(({ Dest }) => Dest === name('worker-2'))?.Via;
    return peers.find(({ Name }) => Name === via)?.NickName;
  };
  await link('set', 'worker-1', 'worker-2', '--partition');
  await waitFor('the way by the third node', async () => (await way()) === 'worker-3');
  await waitFor('the pods to reach each other', heard);
  // The other node may have noticed first.
  await waitFor('the connection to be given up', async () => !(await connection()).includes('established'));
  await waitFor('the pods to reach each other', heard);
  await link('clear', '--all');
  await waitFor('the direct way', async () => (await way()) === 'worker-2');
  await waitFor('the pods to reach each other', heard);
});
