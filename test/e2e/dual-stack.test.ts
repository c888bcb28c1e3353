/** A dual-stack cluster: nodes and pods with addresses of both versions, and real commands over both. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

const LIMIT_MS = 300_000;
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

/** Each node, and each server of names, comes to know of a change in its own time. */
async function comesTo(wanted: string | RegExp, ask: () => Promise<string>): Promise<void> {
  let last = '';
  const isThere = async () => {
    last = await ask().catch(String);
    return typeof wanted === 'string' ? last === wanted : wanted.test(last);
  };
  try {
    await waitFor(`${wanted}`, isThere);
  } catch (error) {
    throw new Error(`${wanted} was to come, and at last it was ${last}`, { cause: error });
  }
}

test('pods of two nodes have two addresses each, and reach each other by both', {
  timeout: LIMIT_MS,
}, async (context) => {
  if (cluster === undefined) return context.skip('no kubectl for this machine');
  const on = (node: string) => `--overrides={"spec":{"nodeName":"${node}"}}`;
  await kubectl('run', 'client', '--image=nicolaka/netshoot', on('worker-1'), '--command', '--', 'sleep', '1000');
  await kubectl('run', 'server', '--image=nginx', on('worker-2'));
  await kubectl('wait', '--for=condition=Ready', 'pod/client', 'pod/server', '--timeout=120s');

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
    await comesTo('200', () => run('curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', url));
  }
  expect(await run('ip', 'addr', 'show', 'eth0')).toMatch(/inet6 fd00:10:244:1::[0-9a-f]+\/64 scope global/);
  expect(await run('ip', '-6', 'route')).toContain('default via fd00:10:244:1::1 dev eth0 metric 1024 pref medium');
  expect(await cluster.podwire(['node', 'exec', 'worker-1', '--', 'ip', '-6', 'route'])).toMatchObject({
    stdout: expect.stringContaining(
      'fd00:10:244:2::/64 via fd00:10:244:2:: dev flannel.1 metric 1024 onlink pref medium',
    ),
  });
});

test('a Service of both versions: addresses, slices, names, node ports and rules', {
  timeout: LIMIT_MS,
}, async (context) => {
  if (cluster === undefined) return context.skip('no kubectl for this machine');
  const overrides = '--overrides={"spec":{"ipFamilyPolicy":"RequireDualStack"}}';
  await kubectl('expose', 'pod', 'server', '--name=web', '--port=80', '--type=NodePort', overrides);
  const field = (path: string) => kubectl('get', 'service', 'web', '-o', `jsonpath=${path}`);
  const [four = '', six = ''] = (await field('{.spec.clusterIPs[*]}')).split(' ');
  expect(four).toMatch(/^10\.\d+\.\d+\.\d+$/);
  expect(six).toMatch(/^fd00:10:96::[0-9a-f:]+$/);
  expect(await field('{.spec.ipFamilies[*]}')).toBe('IPv4 IPv6');
  const slices = ['endpointslices', '-l', 'kubernetes.io/service-name=web'];
  await cluster.waitForField(slices, '{.items[*].endpoints[*].conditions.ready}', 'true true');
  const types = await kubectl('get', ...slices, '-o', 'jsonpath={.items[*].addressType}');
  expect(types.split(' ').sort()).toEqual(['IPv4', 'IPv6']);

  const run = (...command: string[]) => kubectl('exec', 'client', '--', ...command);
  const code = async (...args: string[]) =>
    run('curl', '-sS', '-o', '/dev/null', '-w', '%{http_code} %{remote_ip}', ...args);
  await comesTo(`200 ${six}`, () => code('-6', 'http://web/'));
  await comesTo(`200 ${four}`, () => code('-4', 'http://web/'));
  const nodePort = await field('{.spec.ports[0].nodePort}');
  for (const node of ['fd00:192:168:1::10', 'fd00:192:168:1::11']) {
    await comesTo(`200 ${node}`, () => code(`http://[${node}]:${nodePort}/`));
  }
  await comesTo(new RegExp(`Address: ${six}$`, 'm'), () => run('nslookup', '-type=aaaa', 'web'));
  await comesTo(/name = web\.default\.svc\.cluster\.local\.$/m, () => run('nslookup', six));
  expect(await run('ping', '-6', '-c1', 'web').catch(String)).toContain(six);

  const podOf = (label: string) => [
    'pods',
    '-n',
    'kube-system',
    '-l',
    label,
    '-o',
    'jsonpath={.items[0].status.podIPs[1].ip}',
  ];
  const dns = await kubectl('get', ...podOf('k8s-app=kube-dns'));
  expect(await run('nslookup', 'web.default.svc.cluster.local', dns)).toContain(`Address: ${six}`);
  await kubectl('expose', 'pod', 'server', '--name=quiet', '--port=80', '--cluster-ip=None', overrides);
  const pod = await kubectl('get', 'pod', 'server', '-o', 'jsonpath={.status.podIPs[1].ip}');
  await comesTo(`${pod}\n`, () => run('dig', '+short', 'AAAA', 'quiet.default.svc.cluster.local'));
  await comesTo(pod, () => run('curl', '-sS', '-6', '-o', '/dev/null', '-w', '%{remote_ip}', 'http://quiet/'));

  const onNode = (...command: string[]) => cluster!.podwire(['node', 'exec', 'worker-1', '--', ...command]);
  const { stdout } = await onNode('ip6tables-save', '-t', 'nat');
  expect(stdout).toMatch(new RegExp(`-A KUBE-SERVICES -d ${six}/128 -p tcp .* --dport 80 -j KUBE-SVC-`));
  expect(stdout).toMatch(/-j DNAT --to-destination \[fd00:10:244:2::[0-9a-f]+\]:80/);

  await kubectl('create', 'service', 'clusterip', 'nobody', '--tcp=80:80');
  await kubectl('patch', 'service', 'nobody', '-p', '{"spec":{"ipFamilyPolicy":"PreferDualStack"}}');
  await waitFor('the refusal of a Service without endpoints', () =>
    run('curl', '-sS', '-6', '-m2', 'http://nobody/').then(
      () => false,
      (error) => /Connection refused|Could not connect/.test(String(error)),
    ),
  );
});
