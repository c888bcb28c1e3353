/** exec, attach, logs and port-forward by real clients in all their dialects, against an apiserver and a fake node. */
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { Exec, KubeConfig, PortForward } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bus } from '../../shared/bus/connection.ts';
import { waitFor } from '../wait-for.ts';
import { TEST_CLUSTER } from './api-process.testkit.ts';
import { TestApiServer } from './apiserver.testkit.ts';
import { startFakeNode } from './fake-node.testkit.ts';

const server = await TestApiServer.start();

const POD = `
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  nodeName: worker-1
  containers: [{name: main, image: nginx}, {name: broken, image: nginx}]
---
apiVersion: v1
kind: Pod
metadata: {name: far}
spec: {nodeName: worker-9, containers: [{name: main, image: nginx}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: 8080, targetPort: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.244.1.2], conditions: {ready: true}, targetRef: {kind: Pod, name: web, namespace: default}}]
ports: [{name: http, port: 80, protocol: TCP}]
`;

interface Dialect {
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
}

const DIALECTS: readonly Dialect[] = [
  { name: 'WebSocket', environment: {} },
  {
    name: 'SPDY/3.1',
    environment: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' },
  },
];

describe.skipIf(server === undefined)('byte streams', () => {
  const api = server!;
  let node: Bus;

  beforeAll(async () => {
    node = await startFakeNode(api.nats.url, api.nats.token, TEST_CLUSTER, 'worker-1');
    await api.kubectl(['create', 'sa', 'default']);
    const applied = await api.kubectl(['apply', '-f', '-'], POD);
    expect(applied.code, applied.stderr).toBe(0);
    const running = '{"status":{"phase":"Running","podIP":"10.244.1.2"}}';
    for (const pod of ['web', 'far']) {
      await api.kubectl(['patch', 'pod', pod, '--subresource', 'status', '--type', 'merge', '-p', running]);
    }
  });
  afterAll(async () => {
    await node.close();
    await api.stop();
  });

  describe.each(DIALECTS)('kubectl over $name', ({ environment }) => {
    const exec = (args: readonly string[], input = '') =>
      api.kubectl(['exec', 'web', '-c', 'main', ...args], input, environment);

    it('runs a command', async () => {
      expect(await exec(['--', 'echo', 'hello'])).toEqual({ code: 0, stdout: 'hello\n', stderr: '' });
    });

    it('tells the exit code and keeps stderr apart', async () => {
      const result = await exec(['--', 'nonsense']);
      expect(result.code).toBe(7);
      expect(result.stdout).toBe('');
      expect(result.stderr).toMatch(/^nonsense failed\ncommand terminated with exit code 7/);
    });

    it('passes stdin to its end, however long', async () => {
      const input = 'x'.repeat(3_000_000);
      const result = await exec(['-i', '--', 'cat'], input);
      expect(result.stdout.length).toBe(input.length);
    });

    it('waits for a slow reader', async () => {
      const result = await exec(['--', 'big', '5000000']);
      expect(result.stdout.length).toBe(5_000_000);
    });

    it('runs many at a time', async () => {
      const results = await Promise.all(Array.from({ length: 15 }, (_, i) => exec(['--', 'echo', String(i)])));
      expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 15 }, (_, i) => `${i}\n`));
    });

    it('attaches', async () => {
      const result = await api.kubectl(['attach', 'web', '-c', 'main', '-i'], 'typed\n', environment);
      expect(result.stdout).toContain('typed\n');
    });

    it('says what the node refuses', async () => {
      const result = await api.kubectl(['exec', 'web', '-c', 'broken', '--', 'true'], '', environment);
      expect(result.code).toBe(1);
      expect(result.stderr).toContain('container not found ("broken")');
    });

    it('says that a node does not answer', async () => {
      const result = await api.kubectl(['exec', 'far', '--', 'true'], '', environment);
      expect(result.code).toBe(1);
      expect(result.stderr).toContain('error dialing backend: node worker-9 does not answer');
    });

    it('forwards a port', async () => {
      const forward = api.spawnKubectl(['port-forward', 'web', ':80', ':81'], environment);
      let output = '';
      for (const stream of [forward.stdout, forward.stderr]) {
        stream?.on('data', (data) => {
          output += data;
        });
      }
      try {
        await waitFor('both ports', () => (output.match(/127\.0\.0\.1:\d+ -> /g)?.length ?? 0) >= 2);
        const open = /127\.0\.0\.1:(\d+) -> 80/.exec(output)![1];
        for (const path of ['/one', '/two']) {
          const answer = await fetch(`http://127.0.0.1:${open}${path}`);
          expect(await answer.text()).toBe(`port 80: GET ${path} HTTP/1.1\n`);
        }
        const closed = /127\.0\.0\.1:(\d+) -> 81/.exec(output)![1];
        await expect(fetch(`http://127.0.0.1:${closed}/`)).rejects.toThrow();
        await waitFor('the refusal', () => output.includes('connection refused'));
      } finally {
        const ended = once(forward, 'close');
        forward.kill();
        await ended;
      }
    });
  });

  it('shows logs, and checks what is asked of them', async () => {
    expect((await api.kubectl(['logs', 'web', '-c', 'main'])).stdout).toBe('line 1\nline 2\nline 3\n');
    expect((await api.kubectl(['logs', 'web', '-c', 'main', '--tail', '1', '-f'])).stdout).toBe('line 1\n');
    expect((await api.kubectl(['logs', 'web', '-c', 'nobody'])).stderr).toContain(
      'container nobody is not valid for pod web',
    );
    const bad = await api.kubectl([
      'get',
      '--raw',
      '/api/v1/namespaces/default/pods/web/log?container=main&tailLines=-1',
    ]);
    expect(bad.stderr).toContain('tailLines');
    const previous = await api.kubectl(['logs', 'web', '-c', 'main', '-p']);
    expect(previous.stderr).toContain('previous terminated container "main" in pod "web" not found');
  });

  it('proxies to pods and services by every form of the name', async () => {
    const get = async (path: string) => {
      const result = await api.kubectl(['get', '--raw', `/api/v1/namespaces/default/${path}`]);
      return result.stdout || result.stderr;
    };
    expect(await get('pods/web:80/proxy/a/b?c=d')).toBe('port 80: GET /a/b?c=d HTTP/1.1\n');
    expect(await get('pods/web/proxy/')).toBe('port 80: GET / HTTP/1.1\n');
    expect(await get('services/web:http/proxy/x')).toBe('port 80: GET /x HTTP/1.1\n');
    expect(await get('services/web:8080/proxy/x')).toBe('port 80: GET /x HTTP/1.1\n');
    expect(await get('services/http:web:http/proxy/x/y')).toBe('port 80: GET /x/y HTTP/1.1\n');
    expect(await get('services/web:nothing/proxy/')).toContain('no endpoints available for service "web:nothing"');
    expect(await get('services/missing/proxy/')).toContain('services "missing" not found');
  });

  describe('client-node', () => {
    const kubeConfig = () => {
      const config = new KubeConfig();
      config.loadFromFile(api.kubeconfig);
      return config;
    };
    const collector = () => {
      const chunks: Buffer[] = [];
      const stream = new Writable({
        write(chunk: Buffer, _encoding, done) {
          chunks.push(chunk);
          done();
        },
      });
      return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
    };

    it('executes', async () => {
      const out = collector();
      const status = await new Promise((resolve) => {
        void new Exec(kubeConfig()).exec(
          'default',
          'web',
          'main',
          ['echo', 'hi'],
          out.stream,
          out.stream,
          null,
          false,
          resolve,
        );
      });
      expect(status).toMatchObject({ status: 'Success' });
      expect(out.text()).toBe('hi\n');
    });

    it('forwards a port', async () => {
      const out = collector();
      const errors = collector();
      const input = new PassThrough();
      const socket = await new PortForward(kubeConfig()).portForward(
        'default',
        'web',
        [80],
        out.stream,
        errors.stream,
        input,
      );
      input.write('GET /node HTTP/1.1\r\nHost: x\r\n\r\n');
      await waitFor('the answer', () => out.text().includes('port 80: GET /node HTTP/1.1'));
      expect(errors.text()).toBe('');
      if ('close' in socket) socket.close();
    });
  });
});
