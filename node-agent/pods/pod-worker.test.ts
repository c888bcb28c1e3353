import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pod, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ApiClient, Patch } from '../../shared/bus/api-client.ts';
import { EventRecorder } from '../../shared/bus/event-recorder.ts';
import type { Host } from '../../shared/netstack/host.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import { FakeClock } from '../../shared/runtime/clock.ts';
import { silentLogger } from '../../shared/runtime/log.ts';
import { waitFor } from '../../test/wait-for.ts';
import {
  CommandStartError,
  type ContainerEnd,
  type ContainerInstance,
  type ContainerLaunch,
  type ContainerRuntime,
} from './container-runtime.ts';
import type { KubeletContext } from './kubelet-context.ts';
import { NodeFolders } from './node-folders.ts';
import { PodLogs } from './pod-logs.ts';
import { PodWorker } from './pod-worker.ts';
import type { SandboxNetworks } from './sandbox.ts';
import { ServiceAccountTokens } from './service-account-tokens.ts';

/** A container that does what the test tells it. */
class FakeContainer implements ContainerInstance {
  readonly ended: Promise<ContainerEnd>;
  readonly launch: ContainerLaunch;
  readonly signals: string[] = [];
  /** Exit code of `exec`, which is how probes ask. */
  execCode = 0;
  private resolveEnd: (end: ContainerEnd) => void = () => undefined;

  constructor(launch: ContainerLaunch) {
    this.launch = launch;
    this.ended = new Promise((resolve) => {
      this.resolveEnd = resolve;
    });
  }

  exit(exitCode: number): void {
    this.resolveEnd({ exitCode });
  }

  signal(name: 'SIGTERM' | 'SIGKILL'): void {
    this.signals.push(name);
    if (name === 'SIGKILL') this.exit(137);
  }

  exec(): Promise<number> {
    return Promise.resolve(this.execCode);
  }

  attach(): Promise<void> {
    return Promise.resolve();
  }

  terminationMessage(): string {
    return '';
  }
}

class FakeRuntime implements ContainerRuntime {
  readonly started: FakeContainer[] = [];

  has(image: string): boolean {
    return image !== 'unknown:1';
  }

  imageNames(): string[] {
    return ['nginx'];
  }

  start(launch: ContainerLaunch): Promise<FakeContainer> {
    if (launch.command?.[0] === '/missing') return Promise.reject(new CommandStartError('exec: "/missing": not found'));
    const container = new FakeContainer(launch);
    this.started.push(container);
    return Promise.resolve(container);
  }
}

let folder: string;
let clock: FakeClock;
let runtime: FakeRuntime;
let statuses: PodStatus[];
let events: string[];
let deleted: number;
let attached: number;
let gone: boolean;
let notReadyReason: string | undefined;

function fakeApi(): ApiClient {
  const unused = (): Promise<never> => Promise.reject(new Error('not expected'));
  return {
    get: unused,
    list: unused,
    update: unused,
    updateStatus: unused,
    subresource: unused,
    updateSubresource: unused,
    create: (_resource, object) => {
      const { reason, message } = object as { reason: string; message: string };
      events.push(`${reason}: ${message}`);
      return Promise.resolve(object);
    },
    patch: <T>(_resource: unknown, _name: string, _namespace: string | undefined, patch: Patch) => {
      const given: unknown = typeof patch.body === 'function' ? patch.body() : patch.body;
      const body = given as { status?: PodStatus };
      if (body.status !== undefined) statuses.push(body.status);
      return Promise.resolve({} as T);
    },
    delete: () => {
      deleted++;
      return Promise.resolve();
    },
  };
}

function context(): KubeletContext {
  const api = fakeApi();
  const log = silentLogger();
  // Neither the stack nor sockets are touched by these tests.
  const nothing = {} as unknown;
  const networks: SandboxNetworks = {
    get notReadyReason() {
      return notReadyReason;
    },
    attach: () => {
      attached++;
      return Promise.resolve({
        host: nothing as Host,
        network: nothing as PodNetwork,
        address: '10.244.1.2',
        detach: () => {
          attached--;
          return Promise.resolve();
        },
      });
    },
    node: { host: nothing as Host, network: nothing as PodNetwork, address: '192.168.1.10' },
  };
  return {
    clock,
    log,
    api,
    events: new EventRecorder({ api, clock, log, source: { component: 'kubelet', host: 'worker-1' } }),
    nodeName: 'worker-1',
    hostIp: '192.168.1.10',
    allocatable: {},
    clusterDns: { serviceIp: '10.96.0.10', domain: 'cluster.local' },
    nodeDns: { nameservers: ['192.0.2.1'], searches: [] },
    runtimeClasses: { handlerOf: () => Promise.resolve(undefined) },
    objects: {
      load: () => Promise.resolve(),
      configMap: () => undefined,
      secret: () => undefined,
      services: () => [],
    },
    tokens: new ServiceAccountTokens(api, clock),
    networks,
    runtimes: [runtime],
    logs: new PodLogs(folder, () => clock.nowMs(), log),
    nodeNetwork: nothing as PodNetwork,
    nodeFolders: new NodeFolders(),
    allowedHostPaths: [],
    newContainerId: () => `id-${runtime.started.length}`,
  };
}

function podOf(container: Record<string, unknown> = {}, spec: Record<string, unknown> = {}): Pod {
  return {
    metadata: { name: 'web', namespace: 'default', uid: 'u-1' },
    spec: { containers: [{ name: 'web', image: 'nginx', ...container }], ...spec },
  };
}

function worker(pod: Pod): PodWorker {
  return new PodWorker(pod, context(), () => {
    gone = true;
  });
}

function latest(): PodStatus {
  return statuses.at(-1)!;
}

function shown(): string | undefined {
  const state = latest().containerStatuses?.[0]?.state;
  return state?.waiting?.reason ?? (state?.running === undefined ? state?.terminated?.reason : 'Running');
}

function isReady(): boolean {
  return latest().conditions?.find((condition) => condition.type === 'Ready')?.status === 'True';
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-worker-'));
  clock = new FakeClock();
  runtime = new FakeRuntime();
  statuses = [];
  events = [];
  deleted = 0;
  attached = 0;
  gone = false;
  notReadyReason = undefined;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a pod worker', () => {
  test('brings a pod up and says so', async () => {
    worker(podOf({ env: [{ name: 'A', value: 'x' }], args: ['$(A)', '$$(A)', '$(B)'] }));
    await clock.advance(1);
    expect(latest().phase).toBe('Running');
    expect(latest().podIP).toBe('10.244.1.2');
    expect(isReady()).toBe(true);
    expect(runtime.started[0]?.launch.args).toEqual(['x', '$(A)', '$(B)']);
    expect(events.map((event) => event.split(':')[0])).toEqual(['Pulled', 'Created', 'Started']);
    expect(runtime.started[0]?.launch.sandbox.resolvConf).toBe(
      'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n',
    );
  });

  test('an image that does not exist: ErrImagePull, then ImagePullBackOff with what there is', async () => {
    worker(podOf({ image: 'unknown:1' }));
    await clock.advance(1);
    expect(shown()).toBe('ErrImagePull');
    await clock.advance(1500);
    expect(shown()).toBe('ImagePullBackOff');
    expect(latest().containerStatuses?.[0]?.state?.waiting?.message).toContain('nginx');
    await clock.advance(9000);
    expect(shown()).toBe('ErrImagePull');
    expect(latest().phase).toBe('Pending');
  });

  test('a crashing container restarts with growing pauses', async () => {
    worker(podOf());
    await clock.advance(1);
    const startedAtMs: number[] = [clock.nowMs()];
    for (let crash = 0; crash < 3; crash++) {
      runtime.started.at(-1)!.exit(1);
      for (let waited = 0; runtime.started.length <= startedAtMs.length && waited < 60; waited++)
        await clock.advance(1000);
      startedAtMs.push(clock.nowMs());
      if (crash > 0) expect(events.some((event) => event.startsWith('BackOff'))).toBe(true);
    }
    const pauses = startedAtMs.slice(1).map((at, index) => Math.round((at - startedAtMs[index]!) / 1000));
    expect(pauses[0]).toBeLessThanOrEqual(1);
    expect(pauses.slice(1)).toEqual([10, 20]);
    expect(latest().containerStatuses?.[0]?.restartCount).toBe(3);
  });

  test('a command that does not exist: StartError and CrashLoopBackOff', async () => {
    worker(podOf({ command: ['/missing'] }));
    await clock.advance(2000);
    expect(shown()).toBe('CrashLoopBackOff');
    expect(latest().containerStatuses?.[0]?.lastState?.terminated).toMatchObject({
      exitCode: 128,
      reason: 'StartError',
    });
  });

  test('a missing ConfigMap: CreateContainerConfigError until it is there', async () => {
    worker(podOf({ envFrom: [{ configMapRef: { name: 'settings' } }] }));
    await clock.advance(1);
    expect(shown()).toBe('CreateContainerConfigError');
    expect(latest().containerStatuses?.[0]?.state?.waiting?.message).toBe('configmap "settings" not found');
    expect(runtime.started.length).toBe(0);
  });

  test('a readiness probe decides over Ready, both ways', async () => {
    const readinessProbe = { exec: { command: ['check'] }, periodSeconds: 1, failureThreshold: 2 };
    worker(podOf({ readinessProbe }));
    await clock.advance(0);
    runtime.started[0]!.execCode = 0;
    await clock.advance(1500);
    expect(isReady()).toBe(true);
    runtime.started[0]!.execCode = 1;
    await clock.advance(1000);
    expect(isReady()).toBe(true);
    await clock.advance(1000);
    expect(isReady()).toBe(false);
    expect(latest().containerStatuses?.[0]?.restartCount).toBe(0);
    runtime.started[0]!.execCode = 0;
    await clock.advance(1000);
    expect(isReady()).toBe(true);
  });

  test('a liveness failure restarts the container; a start-up probe holds liveness back', async () => {
    const probe = { exec: { command: ['check'] }, periodSeconds: 1, failureThreshold: 3 };
    worker(
      podOf({
        startupProbe: { ...probe, initialDelaySeconds: 1, failureThreshold: 30 },
        livenessProbe: probe,
        terminationGracePeriodSeconds: 1,
      }),
    );
    await clock.advance(1);
    const first = runtime.started[0]!;
    first.execCode = 1;
    await clock.advance(10_000);
    expect(latest().containerStatuses?.[0]?.started).toBe(false);
    expect(first.signals).toEqual([]);
    first.execCode = 0;
    await clock.advance(1500);
    expect(latest().containerStatuses?.[0]?.started).toBe(true);
    first.execCode = 1;
    await clock.advance(3000);
    expect(first.signals).toEqual(['SIGTERM']);
    expect(events).toContain('Killing: Container web failed liveness probe, will be restarted');
    first.exit(143);
    await clock.advance(1);
    expect(runtime.started.length).toBe(2);
    expect(latest().containerStatuses?.[0]?.restartCount).toBe(1);
  });

  test('deletion: SIGTERM, grace, SIGKILL, then the object goes and nothing is left', async () => {
    const pod = podOf();
    const one = worker(pod);
    await clock.advance(1);
    const metadata = { ...pod.metadata, deletionTimestamp: '2025-01-01T00:00:05Z', deletionGracePeriodSeconds: 5 };
    one.update({ ...pod, metadata });
    await clock.advance(4000);
    expect(runtime.started[0]?.signals).toEqual(['SIGTERM']);
    expect(deleted).toBe(0);
    await clock.advance(2000);
    expect(runtime.started[0]?.signals).toEqual(['SIGTERM', 'SIGKILL']);
    await waitFor('it to be gone', () => gone);
    expect([deleted, attached]).toEqual([1, 0]);
    expect(latest().containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(137);
  });

  test('a pod deleted by force is ended without another word to the API', async () => {
    const one = worker(podOf());
    await clock.advance(1);
    const written = statuses.length;
    one.remove();
    await clock.advance(1000);
    await waitFor('it to be gone', () => gone);
    expect([deleted, attached, statuses.length - written]).toEqual([0, 0, 0]);
  });

  test('without a CNI it stays ContainerCreating, and starts when there is one', async () => {
    notReadyReason = 'network plugin is not ready: cni config uninitialized';
    const one = worker(podOf());
    await clock.advance(30_000);
    expect(shown()).toBe('ContainerCreating');
    expect(events).toContain(`FailedCreatePodSandBox: Failed to create pod sandbox: ${notReadyReason}`);
    notReadyReason = undefined;
    one.networkReady();
    await clock.advance(1);
    expect(latest().phase).toBe('Running');
  });

  test('a pod that ran when the node was lost runs again, one restart later', async () => {
    const pod = {
      ...podOf(),
      status: {
        phase: 'Running',
        podIP: '10.244.1.9',
        containerStatuses: [
          {
            name: 'web',
            image: 'nginx',
            imageID: '',
            ready: true,
            restartCount: 1,
            state: { running: { startedAt: '2025-01-01T00:00:00Z' } },
          },
        ],
      },
    };
    worker(pod);
    await clock.advance(1);
    expect(latest().containerStatuses?.[0]).toMatchObject({ restartCount: 2, ready: true });
    expect(statuses.every((status) => status.phase === 'Running')).toBe(true);
  });
});
