import { describe, expect, test } from 'vitest';
import { healthServer, type ServingStatus } from '../../shared/podnet/grpc-health.ts';
import { listenHttp } from '../../shared/podnet/http.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import { podPair, RIGHT_ADDRESS } from '../../shared/podnet/pod-pair.testkit.ts';
import { FakeClock } from '../../shared/runtime/clock.ts';
import { ContainerProbes } from './container-probes.ts';
import { checkProbe, type ProbeTarget } from './probe-check.ts';
import type { ProbeKind } from './probe-threshold.ts';

const CONTAINER = { name: 'web', ports: [{ name: 'http', containerPort: 8080 }] };

async function withServer(run: (target: ProbeTarget, pod: PodNetwork) => Promise<void>): Promise<void> {
  const pods = podPair();
  const server = await listenHttp(pods.right, { port: 8080 }, (request, response) => {
    if (request.url === '/slow') return;
    response.writeHead(request.url === '/ok' && request.headers['x-key'] === 'v' ? 204 : 503).end();
  });
  const exec = async (command: readonly string[], streams: { stdout: NodeJS.WritableStream }) => {
    streams.stdout.write(`ran ${command.join(' ')}\n`);
    return command[0] === 'true' ? 0 : 1;
  };
  try {
    await run({ container: CONTAINER, podIp: RIGHT_ADDRESS, network: pods.left, exec }, pods.right);
  } finally {
    await server.close();
    await pods.close();
  }
}

describe('a probe', () => {
  test('over HTTP: the status decides; ports by name, headers, time-out and refusal', async () => {
    await withServer(async (target) => {
      const httpHeaders = [{ name: 'X-Key', value: 'v' }];
      expect(await checkProbe({ httpGet: { path: '/ok', port: 'http', httpHeaders } }, target, 1000)).toEqual({
        passed: true,
        output: '',
      });
      const failing = await checkProbe({ httpGet: { path: '/bad', port: 8080 } }, target, 1000);
      expect(failing).toEqual({ passed: false, output: 'HTTP probe failed with statuscode: 503' });
      const slow = await checkProbe({ httpGet: { path: '/slow', port: 8080 } }, target, 50);
      expect(slow.output).toContain('context deadline exceeded');
      const refused = await checkProbe({ httpGet: { path: '/', port: 81 } }, target, 1000);
      expect(refused.output).toBe(
        `Get "http://${RIGHT_ADDRESS}:81/": dial tcp ${RIGHT_ADDRESS}:81: connect: connection refused`,
      );
    });
  });

  test('over TCP: a handshake is enough', async () => {
    await withServer(async (target) => {
      expect((await checkProbe({ tcpSocket: { port: 8080 } }, target, 1000)).passed).toBe(true);
      expect((await checkProbe({ tcpSocket: { port: 82 } }, target, 1000)).output).toContain('connection refused');
    });
  });

  test('over gRPC: the service says how it is', async () => {
    await withServer(async (target, pod) => {
      const statuses = new Map<string, ServingStatus>([
        ['', 'SERVING'],
        ['ill', 'NOT_SERVING'],
      ]);
      const tcp = await pod.listenTcp({ port: 5000, allowHalfOpen: true });
      tcp.on(
        'connection',
        healthServer((service) => statuses.get(service)),
      );
      const grpc = (service?: string, port = 5000) => checkProbe({ grpc: { port, service } }, target, 1000);
      expect(await grpc()).toEqual({ passed: true, output: 'service healthy' });
      expect(await grpc('ill')).toEqual({ passed: false, output: 'service unhealthy (responded with "NOT_SERVING")' });
      expect((await grpc('other')).output).toBe('error: health rpc probe failed: code 5: unknown service: other');
      expect((await grpc('', 81)).output).toContain('connection refused');
      expect((await grpc('', 8080)).passed).toBe(false);
      await tcp.close();
    });
  });

  test('by a command: the exit code decides, its output says why', async () => {
    await withServer(async (target) => {
      expect((await checkProbe({ exec: { command: ['true'] } }, target, 1000)).passed).toBe(true);
      expect(await checkProbe({ exec: { command: ['false', 'x'] } }, target, 1000)).toEqual({
        passed: false,
        output: 'ran false x',
      });
    });
  });
});

describe('the probes of a container', () => {
  test('keep their periods, and readiness and liveness wait for the start-up probe', async () => {
    const clock = new FakeClock();
    const checked: string[] = [];
    const changes: string[] = [];
    let startup = false;
    const probe = { exec: { command: ['x'] }, periodSeconds: 2 };
    const probes = new ContainerProbes({
      container: {
        name: 'web',
        startupProbe: { ...probe, failureThreshold: 10 },
        livenessProbe: { ...probe, initialDelaySeconds: 1 },
        readinessProbe: probe,
      },
      clock,
      check: async (kind: ProbeKind) => {
        checked.push(`${kind}@${clock.monotonicMs()}`);
        return { passed: kind !== 'startup' || startup, output: '' };
      },
      onChange: (kind, passed) => changes.push(`${kind}=${passed}`),
      onFailure: () => undefined,
    });
    await clock.advance(3000);
    startup = true;
    await clock.advance(4000);
    probes.stop();
    await clock.advance(10_000);
    expect(checked).toEqual([
      'startup@0',
      'startup@2000',
      'startup@4000',
      'readiness@4000',
      'liveness@5000',
      'readiness@6000',
      'liveness@7000',
    ]);
    expect(changes).toEqual(['startup=true', 'readiness=true', 'liveness=true']);
  });
});
