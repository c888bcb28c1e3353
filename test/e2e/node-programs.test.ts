/** Unmodified Node programs in pods of two nodes: the lab, packages, policies, the machine's folders, kubectl. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bundled } from '../../node-agent/images/node-program/node-program.testkit.ts';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { documentedCommands, scriptOf } from './documented-commands.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'pw-programs-'));
const cluster = await TestCluster.start({ nodes: 2, arguments: ['--cni', 'canal', '--allow-host-path', folder] });

const SLOW_MS = 300_000;

function podOf(name: string, node: string, spec: object, volumes: readonly object[] = []): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 30,
      containers: [{ name: 'main', image: 'node:18.1-bullseye', ...spec }],
      volumes,
    },
  };
}

describe.skipIf(cluster === undefined)('Node programs', () => {
  const apply = (...objects: object[]): Promise<string> =>
    cluster!.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));

  afterAll(async () => {
    await cluster?.down();
    rmSync(folder, { recursive: true });
  });

  it(
    'the commands of the lab work as they stand there',
    async () => {
      const result = await cluster!.shell(scriptOf(documentedCommands(join(ROOT, 'labs/node-program/README.md'))));
      expect(result.code, `${result.stdout}\n${result.stderr}`).toBe(0);
      expect(result.stdout).toMatch(/^visit \d+ of visits-\w+-\w+ on worker-[12]$/m);
      expect(result.stdout).toMatch(/^listening on port 3000$/m);
      expect(result.stdout).toMatch(/^visit \d+ from 10\.244\.\d+\.\d+$/m);
    },
    SLOW_MS,
  );

  it(
    'express across nodes and through a Service, with what kubectl shows of it',
    async () => {
      const source = await bundled(`
      const app = require('express')();
      app.get('/', (request, response) => response.json({ from: request.ip }));
      const server = app.listen(3000, () => console.log('express listens'));
      process.on('SIGTERM', () => { console.log('bye'); server.close(); server.closeAllConnections(); });
    `);
      // A bundle of express is a little larger than a configMap may be.
      const app = { name: 'app', hostPath: { path: folder } };
      writeFileSync(join(folder, 'main.js'), source);
      await apply(
        podOf(
          'express',
          'worker-2',
          { args: ['node', '/app/main.js'], volumeMounts: [{ name: 'app', mountPath: '/app' }] },
          [app],
        ),
        podOf('asker', 'worker-1', { command: ['sleep', 'infinity'] }),
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'express' },
          spec: { selector: { app: 'express' }, ports: [{ port: 80, targetPort: 3000 }] },
        },
      );
      await cluster!.waitForField(['pod', 'asker'], '{.status.phase}', 'Running');
      const asked = [
        'exec',
        'asker',
        '--',
        'node',
        '-e',
        "fetch('http://express').then(async (a) => console.log(await a.text()))",
      ];
      await waitFor('an answer', async () => (await cluster!.kubectl(asked)).code === 0);
      const asker = await cluster!.kubectlOut(['get', 'pod', 'asker', '-o', 'jsonpath={.status.podIP}']);
      expect(JSON.parse(await cluster!.kubectlOut(asked))).toEqual({ from: asker });
      expect(await cluster!.kubectlOut(['logs', 'express'])).toBe('express listens\n');
      const present = `Container image "node:18.1-bullseye" already present on machine; its programs run on Node ${process.versions.node}, whatever the tag`;
      await waitFor('the event of the image', async () =>
        (await cluster!.kubectlOut(['describe', 'pod', 'express'])).includes(present),
      );
      expect(await cluster!.kubectl(['exec', 'asker', '--', 'node', '-e', 'process.exit(7)'])).toMatchObject({
        code: 7,
      });
      const following = cluster!.spawnKubectl(['logs', '-f', 'express']);
      let log = '';
      following.stdout?.on('data', (text) => {
        log += String(text);
      });
      const over = once(following, 'close');
      await waitFor('the first words', () => log.includes('express listens'));
      await cluster!.kubectlOut(['delete', 'pod', 'express']);
      await over;
      expect(log).toBe('express listens\nbye\n');
    },
    SLOW_MS,
  );

  it(
    'policies hold for them',
    async () => {
      const server = "require('http').createServer((q, r) => r.end('in')).listen(80)";
      await apply(
        podOf('guarded', 'worker-2', { command: ['node', '-e', server] }),
        {
          apiVersion: 'networking.k8s.io/v1',
          kind: 'NetworkPolicy',
          metadata: { name: 'guard' },
          spec: {
            podSelector: { matchLabels: { app: 'guarded' } },
            ingress: [{ from: [{ podSelector: { matchLabels: { app: 'friend' } } }] }],
          },
        },
        podOf('friend', 'worker-1', { command: ['sleep', 'infinity'] }),
        podOf('stranger', 'worker-1', { command: ['sleep', 'infinity'] }),
      );
      for (const name of ['guarded', 'friend', 'stranger']) {
        await cluster!.waitForField(['pod', name], '{.status.phase}', 'Running');
      }
      const address = await cluster!.kubectlOut(['get', 'pod', 'guarded', '-o', 'jsonpath={.status.podIP}']);
      const script = `fetch('http://${address}', { signal: AbortSignal.timeout(5000) }).then(async (a) => console.log(await a.text()), (e) => console.log(e.name))`;
      const ask = (pod: string): Promise<string> => cluster!.kubectlOut(['exec', pod, '--', 'node', '-e', script]);
      await waitFor('the friend to be let in', async () => (await ask('friend')) === 'in\n');
      await waitFor('the stranger to be kept out', async () => (await ask('stranger')) === 'TimeoutError\n');
    },
    SLOW_MS,
  );

  it(
    'a folder of the machine is theirs where it was allowed, and no other',
    async () => {
      mkdirSync(join(folder, 'app', 'node_modules', 'lib'), { recursive: true });
      writeFileSync(join(folder, 'app', 'node_modules', 'lib', 'index.js'), "module.exports = 'of the folder';");
      writeFileSync(join(folder, 'app', 'main.mjs'), "import lib from 'lib'; console.log(lib, process.cwd());");
      const mounts = [
        { name: 'app', mountPath: '/srv/app' },
        { name: 'etc', mountPath: '/machine' },
      ];
      const list = "console.log(require('fs').readdirSync('/machine').length)";
      await apply(
        podOf(
          'folders',
          'worker-1',
          {
            command: ['sh', '-c', `node main.mjs; node -e "${list}"; sleep 1000`],
            workingDir: '/srv/app',
            volumeMounts: mounts,
          },
          [
            { name: 'app', hostPath: { path: join(folder, 'app') } },
            { name: 'etc', hostPath: { path: '/etc' } },
          ],
        ),
      );
      await waitFor('its output', async () => (await cluster!.kubectl(['logs', 'folders'])).stdout.endsWith('\n0\n'));
      expect(await cluster!.kubectlOut(['logs', 'folders'])).toBe('of the folder /srv/app\n0\n');
    },
    SLOW_MS,
  );
});
