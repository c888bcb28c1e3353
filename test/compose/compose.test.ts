/**
 * compose.yaml for real: images built, three workers Ready, a request between workers, a worker container killed and
 * brought back, real UDP between containers. Skipped, with the reason, where no Docker engine can be had.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findKubectl } from '../e2e/kubectl.ts';
import { type CommandResult, run } from '../e2e/run-command.ts';
import { waitFor } from '../wait-for.ts';
import { provideBaseImages } from './base-images.ts';
import { type DockerEngine, findOrStartEngine } from './docker-engine.ts';

const root = resolve(import.meta.dirname, '../..');
const PROJECT = `podwiretest${process.pid}`;

const outcome = await findOrStartEngine();
const kubectl = await findKubectl();
const skipReason = 'reason' in outcome ? outcome.reason : 'reason' in kubectl ? kubectl.reason : undefined;
if (skipReason !== undefined) console.warn(`test/compose skipped: ${skipReason}`);

describe.skipIf(skipReason !== undefined)(
  `docker compose${skipReason === undefined ? '' : ` (skipped: ${skipReason})`}`,
  { timeout: 400_000 },
  () => {
    const engine: DockerEngine = 'engine' in outcome ? outcome.engine : neverHere();
    const kubectlPath: string = 'path' in kubectl ? kubectl.path : neverHere();
    const kubeconfig = join(engine.folder, 'kubeconfig');
    let environment: Record<string, string> = {};

    const compose = (...args: string[]): Promise<CommandResult> =>
      run(engine.compose[0]!, [...engine.compose.slice(1), '-p', PROJECT, '-f', join(root, 'compose.yaml'), ...args], {
        env: environment,
        cwd: root,
        timeoutMs: 600_000,
      });
    const kube = (...args: string[]) => run(kubectlPath, ['--kubeconfig', kubeconfig, ...args], { timeoutMs: 150_000 });
    const nodeStates = async () => {
      const { stdout } = await kube('get', 'nodes', '--no-headers');
      return stdout
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(/\s+/).slice(0, 2).join(' '));
    };
    const allReady = async () => (await nodeStates()).join(',') === 'worker-1 Ready,worker-2 Ready,worker-3 Ready';

    beforeAll(async () => {
      const images = await provideBaseImages(
        engine,
        execFileSync('which', ['nats-server'], { encoding: 'utf8' }).trim(),
      );
      environment = {
        ...engine.environment,
        PODWIRE_IMAGE: `${PROJECT}-image`,
        PODWIRE_NODE_IMAGE: images.node,
        PODWIRE_NATS_IMAGE: images.nats,
        PODWIRE_API_PORT: String(await freePort()),
      };
      const built = await compose('build');
      expect(built.code, built.stderr + built.stdout).toBe(0);
    }, 900_000);

    afterAll(async () => {
      await compose('down', '--volumes', '--timeout', '3');
      await engine.docker(['rmi', '-f', environment.PODWIRE_IMAGE ?? 'none']);
      await engine.stop();
    });

    it('brings up three Ready workers', async () => {
      const startedAt = Date.now();
      const up = await compose('up', '-d');
      expect(up.code, up.stderr).toBe(0);
      await waitFor('a kubeconfig', async () => {
        const { code, stdout } = await compose('exec', '-T', 'apiserver', 'cat', '/control/kubeconfig');
        if (code === 0 && stdout.includes('clusters')) writeFileSync(kubeconfig, stdout, { mode: 0o600 });
        return code === 0 && stdout.includes('clusters');
      });
      await waitFor('three Ready workers', allReady);
      console.info(`compose: up to three Ready workers in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
      expect(await nodeStates()).toHaveLength(3);
    });

    it('carries a request from a pod on one worker to a Service on another', async () => {
      const applied = await kube('apply', '-f', join(import.meta.dirname, 'web.yaml'));
      expect(applied.code, applied.stderr).toBe(0);
      const rolled = await kube('rollout', 'status', 'deployment/web', '--timeout=120s');
      expect(rolled.code, rolled.stderr).toBe(0);
      await kube('wait', '--for=condition=Ready', 'pod/client', '--timeout=120s');
      const answers = await kube(
        'exec',
        'client',
        '--',
        'sh',
        '-c',
        'for i in $(seq 1 30); do curl -s http://web/hostname; echo; done',
      );
      expect(answers.code, answers.stderr).toBe(0);
      expect(new Set(answers.stdout.trim().split('\n')).size).toBe(3);
    });

    it('publishes nothing beyond loopback and runs without root', async () => {
      const { stdout } = await engine.docker(['ps', '--filter', `name=${PROJECT}`, '--format', '{{.Ports}}']);
      const published = stdout.match(/\S+->/g) ?? [];
      expect(published.length).toBeGreaterThan(0);
      expect(published.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
      const user = await compose('exec', '-T', 'worker-1', 'node', '-p', 'process.getuid()');
      expect(user.stdout.trim()).toBe('10001');
    });

    it('treats a killed worker as a failed node and takes it back', async () => {
      expect((await compose('kill', 'worker-2')).code).toBe(0);
      await waitFor('worker-2 NotReady', async () => (await nodeStates()).includes('worker-2 NotReady'));
      await waitFor('three backends elsewhere', async () => {
        const { stdout } = await kube(
          'get',
          'pods',
          '-l',
          'app=web',
          '-o',
          'jsonpath={range .items[*]}{.spec.nodeName}/{.status.phase}/{.metadata.deletionTimestamp}{"\\n"}{end}',
        );
        return stdout.split('\n').filter((line) => /^worker-[13]\/Running\/$/.test(line)).length === 3;
      });
      const answer = await kube(
        'exec',
        'client',
        '--',
        'curl',
        '-s',
        '--retry',
        '5',
        '--connect-timeout',
        '1',
        'http://web/hostname',
      );
      expect(answer.code, answer.stderr).toBe(0);
      expect((await compose('up', '-d', 'worker-2')).code).toBe(0);
      await waitFor('three Ready workers again', allReady);
      expect(await nodeStates()).toContain('worker-2 Ready');
    });
  },
);

function neverHere(): never {
  throw new Error('the suite is skipped where this is missing');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
