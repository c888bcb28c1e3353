/** LimitRanges and ResourceQuotas in force, as kubectl makes and sees them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestApiServer } from './apiserver.testkit.ts';

const server = await TestApiServer.start();

afterAll(() => server?.stop());

describe.skipIf(server === undefined)('an apiserver with quotas', () => {
  const { process: api } = server!;
  const kubectl = (...args: string[]) => server!.kubectl(args);

  async function create(collection: string, object: object): Promise<{ code: number; message: string }> {
    const { code, body } = await api.call('POST', collection, JSON.stringify(object));
    return { code, message: JSON.parse(body).message };
  }

  function pod(name: string, resources: object = {}): object {
    return { metadata: { name }, spec: { containers: [{ name: 'web', image: 'nginx', resources }] } };
  }

  /** A namespace with a service account, whose controller does not run here. */
  async function namespaceWith(name: string): Promise<string> {
    await kubectl('create', 'namespace', name);
    await kubectl('create', 'serviceaccount', 'default', '-n', name);
    return `/api/v1/namespaces/${name}/pods`;
  }

  async function used(namespace: string): Promise<Record<string, string>> {
    const { stdout } = await kubectl('get', 'quota', 'small', '-n', namespace, '-o', 'json');
    return JSON.parse(stdout).status?.used ?? {};
  }

  beforeAll(async () => {
    await waitFor('readiness', async () => (await api.call('GET', '/readyz')).code === 200);
  });

  it('refuses what exceeds a quota, and gives back what is deleted', async () => {
    const pods = await namespaceWith('counted');
    const made = await kubectl('create', 'quota', 'small', '--hard=pods=2,count/configmaps=1', '-n', 'counted');
    expect(made.stdout).toBe('resourcequota/small created\n');
    await waitFor('a status', async () => (await used('counted')).pods === '0');
    expect(await create(pods, pod('a'))).toMatchObject({ code: 201 });
    expect(await create(pods, pod('b'))).toMatchObject({ code: 201 });
    expect(await create(pods, pod('c'))).toEqual({
      code: 403,
      message: 'pods "c" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2',
    });
    const refused = await kubectl('run', 'd', '--image=nginx', '-n', 'counted');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^Error from server \(Forbidden\): pods "d" is forbidden: exceeded quota: small/);
    await kubectl('delete', 'pod', 'a', '-n', 'counted');
    await waitFor('the place', async () => (await create(pods, pod('c'))).code === 201);

    await kubectl('create', 'configmap', 'one', '-n', 'counted');
    const second = await kubectl('create', 'configmap', 'two', '-n', 'counted');
    expect(second.stderr).toBe(
      'error: failed to create configmap: configmaps "two" is forbidden: exceeded quota: small, requested: count/configmaps=1, used: count/configmaps=1, limited: count/configmaps=1\n',
    );
    const { stdout } = await kubectl('describe', 'quota', 'small', '-n', 'counted');
    expect(stdout).toMatch(/count\/configmaps\s+1\s+1\npods\s+2\s+2\n/);
  });

  it('takes nothing for what was not written', async () => {
    const pods = await namespaceWith('unwritten');
    await kubectl('create', 'quota', 'small', '--hard=pods=2', '-n', 'unwritten');
    expect(await create(pods, pod('a'))).toMatchObject({ code: 201 });
    for (let i = 0; i < 3; i++) expect(await create(pods, pod('a'))).toMatchObject({ code: 409 });
    const dry = await api.call('POST', `${pods}?dryRun=All`, JSON.stringify(pod('b')));
    expect(dry.code).toBe(201);
    expect(await create(pods, pod('b'))).toMatchObject({ code: 201 });
    expect((await api.call('POST', `${pods}?dryRun=All`, JSON.stringify(pod('c')))).code).toBe(403);
  });

  it('never lets more in than there is place for, however many ask at a time', async () => {
    const pods = await namespaceWith('crowded');
    await kubectl('create', 'quota', 'small', '--hard=pods=7', '-n', 'crowded');
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => create(pods, pod(`p-${i}`))));
    expect(answers.filter(({ code }) => code === 201)).toHaveLength(7);
    expect(answers.filter(({ code }) => code === 403)).toHaveLength(23);
    const { body } = await api.call('GET', pods);
    expect(JSON.parse(body).items).toHaveLength(7);
    expect(await used('crowded')).toEqual({ pods: '7' });
  });

  it('wants amounts that it counts, and gets them from a LimitRange', async () => {
    const pods = await namespaceWith('measured');
    await kubectl('create', 'quota', 'small', '--hard=requests.cpu=1,limits.memory=1Gi', '-n', 'measured');
    expect(await create(pods, pod('a'))).toEqual({
      code: 403,
      message: 'pods "a" is forbidden: failed quota: small: must specify limits.memory for: web; requests.cpu for: web',
    });
    const limits = [
      { type: 'Container', default: { memory: '256Mi' }, defaultRequest: { cpu: '300m' }, max: { memory: '512Mi' } },
    ];
    const range = { metadata: { name: 'limits' }, spec: { limits } };
    expect(await create('/api/v1/namespaces/measured/limitranges', range)).toMatchObject({ code: 201 });
    expect(await create(pods, pod('a'))).toMatchObject({ code: 201 });
    const { body } = await api.call('GET', `${pods}/a`);
    expect(JSON.parse(body)).toMatchObject({
      metadata: {
        annotations: {
          'kubernetes.io/limit-ranger':
            'LimitRanger plugin set: cpu, memory request for container web; memory limit for container web',
        },
      },
      spec: {
        containers: [{ resources: { limits: { memory: '256Mi' }, requests: { cpu: '300m', memory: '256Mi' } } }],
      },
      status: { qosClass: 'Burstable' },
    });
    expect(await create(pods, pod('b', { limits: { memory: '1Gi' } }))).toEqual({
      code: 403,
      message: 'pods "b" is forbidden: maximum memory usage per Container is 512Mi, but limit is 1Gi',
    });
    expect(await create(pods, pod('b', { requests: { cpu: '800m' } }))).toEqual({
      code: 403,
      message:
        'pods "b" is forbidden: exceeded quota: small, requested: requests.cpu=800m, used: requests.cpu=300m, limited: requests.cpu=1',
    });
  });

  it('counts what an update takes more', async () => {
    await namespaceWith('updated');
    await kubectl('create', 'quota', 'small', '--hard=services.nodeports=0', '-n', 'updated');
    await kubectl('create', 'service', 'clusterip', 'web', '--tcp=80', '-n', 'updated');
    const patched = await kubectl('patch', 'service', 'web', '-n', 'updated', '-p', '{"spec":{"type":"NodePort"}}');
    expect(patched.stderr).toMatch(
      /services "web" is forbidden: exceeded quota: small, requested: services\.nodeports=1, used: services\.nodeports=0, limited: services\.nodeports=0/,
    );
  });
});
