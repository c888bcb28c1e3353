/** A dual-stack cluster: nodes and pods with addresses of both versions, and real commands over both. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestCluster } from './cluster.ts';

const LIMIT_MS = 180_000;
let cluster: TestCluster | undefined;

beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 2, arguments: ['--ip-family', 'dual'] });
}, LIMIT_MS);

afterAll(async () => {
  await cluster?.down();
}, LIMIT_MS);

async function kubectl(...args: string[]): Promise<string> {
  const result = await cluster!.kubectl(args);
  if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stdout}${result.stderr}`);
  return result.stdout;
}

test('pods of two nodes have two addresses each, and reach each other by both', {
  timeout: LIMIT_MS,
}, async (context) => {
  if (cluster === undefined) return context.skip('no kubectl for this machine');
  const on = (node: string) => `--overrides={"spec":{"nodeName":"${node}"}}`;
  await kubectl('run', 'client', '--image=nicolaka/netshoot', on('worker-1'), '--command', '--', 'sleep', '1000');
  await kubectl('run', 'server', '--image=nginx', on('worker-2'));
  await kubectl('wait', '--for=condition=Ready', 'pod/client', 'pod/server', '--timeout=60s');

  const addresses = await kubectl(
    'get',
    'node',
    'worker-2',
    '-o',
    'jsonpath={.status.addresses[*].address} {.spec.podCIDRs[*]}',
  );
  expect(addresses).toBe('192.168.1.11 fd00:192:168:1::11 worker-2 10.244.2.0/24 fd00:10:244:2::/64');
  const [four = '', six = ''] = (await kubectl('get', 'pod', 'server', '-o', 'jsonpath={.status.podIPs[*].ip}')).split(
    ' ',
  );
  expect(four).toMatch(/^10\.244\.2\.\d+$/);
  expect(six).toMatch(/^fd00:10:244:2::[0-9a-f]+$/);

  const run = (...command: string[]) => kubectl('exec', 'client', '--', ...command);
  for (const url of [`http://${four}/`, `http://[${six}]:80/`]) {
    expect(await run('curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', url)).toBe('200');
  }
  expect(await run('ip', 'addr', 'show', 'eth0')).toMatch(/inet6 fd00:10:244:1::[0-9a-f]+\/64 scope global/);
  expect(await run('ip', '-6', 'route')).toContain('default via fd00:10:244:1::1 dev eth0 metric 1024 pref medium');
  expect(await cluster.podwire(['node', 'exec', 'worker-1', '--', 'ip', '-6', 'route'])).toMatchObject({
    stdout: expect.stringContaining(
      'fd00:10:244:2::/64 via fd00:10:244:2:: dev flannel.1 metric 1024 onlink pref medium',
    ),
  });
});
