/** What a container finds inside: environment, volumes, resolv.conf and hosts, against the API's text. */
import type { ConfigMap, Container, Pod, Secret, Service } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { DownwardApiError } from './downward-api.ts';
import { ContainerConfigError, containerEnvironment, type ReferencedObjects } from './environment.ts';
import { hostsFile, nodeHostsFile, podHostname, resolvConf } from './name-resolution.ts';
import { references } from './pod-references.ts';
import { PodVolumes } from './pod-volumes.ts';
import { expandVariables } from './variable-expansion.ts';
import { VolumeError, volumeFiles } from './volume-content.ts';

const FACTS = {
  podIp: '10.244.1.5',
  hostIp: '192.168.1.10',
  nodeName: 'worker-1',
  allocatable: { cpu: '8', memory: '16Gi' },
};
const CLUSTER = { serviceIp: '10.96.0.10', domain: 'cluster.local' };
const NODE = { nameservers: ['192.0.2.1'], searches: ['example.com'] };

const settings: ConfigMap = {
  metadata: { name: 'settings', namespace: 'shop' },
  data: { mode: 'fast', 'a.conf': 'one' },
  binaryData: { 'blob.bin': Buffer.from([0, 255]).toString('base64') },
};
const login: Secret = {
  metadata: { name: 'login', namespace: 'shop' },
  data: { user: Buffer.from('ann').toString('base64') },
};
const services: Service[] = [
  {
    metadata: { name: 'my-db', namespace: 'shop' },
    spec: { clusterIP: '10.96.4.4', ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }] },
  },
  { metadata: { name: 'headless', namespace: 'shop' }, spec: { clusterIP: 'None', ports: [{ port: 80 }] } },
];
const apiService: Service = {
  metadata: { name: 'kubernetes', namespace: 'default' },
  spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443, protocol: 'TCP' }] },
};

const OBJECTS: ReferencedObjects = {
  configMap: (_namespace, name) => (name === 'settings' ? settings : undefined),
  secret: (_namespace, name) => (name === 'login' ? login : undefined),
  services: (namespace) => (namespace === 'default' ? [apiService] : services),
};

function pod(spec: Partial<NonNullable<Pod['spec']>> = {}): Pod {
  return {
    metadata: { name: 'web-0', namespace: 'shop', uid: 'u-1', labels: { app: 'web', tier: 'front' } },
    spec: { containers: [], ...spec },
  };
}

function environment(container: Partial<Container>, spec: Partial<NonNullable<Pod['spec']>> = {}) {
  return containerEnvironment(pod(spec), { name: 'web', ...container }, OBJECTS, FACTS);
}

describe('$(VAR) expansion', () => {
  const cases: [string, string][] = [
    ['$(A)', 'x'],
    ['a$(A)b$(A)', 'axbx'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$x'],
    ['$(MISSING)', '$(MISSING)'],
    ['$A', '$A'],
    ['$(A', '$(A'],
    ['$$', '$'],
    ['100%$', '100%$'],
  ];
  test.each(cases)('%s -> %s', (text, expanded) => {
    expect(expandVariables(text, (name) => (name === 'A' ? 'x' : undefined))).toBe(expanded);
  });
});

describe('environment', () => {
  test('later variables see earlier ones, of env, envFrom and services', () => {
    const env = environment({
      envFrom: [{ prefix: 'S_', configMapRef: { name: 'settings' } }],
      env: [
        { name: 'ONE', value: '1' },
        { name: 'TWO', value: '$(ONE)$(ONE)' },
        { name: 'DB', value: '$(MY_DB_SERVICE_HOST):$(MY_DB_SERVICE_PORT_SQL)' },
        { name: 'MODE', value: '$(S_mode)' },
      ],
    });
    expect(env).toMatchObject({ TWO: '11', DB: '10.96.4.4:5432', MODE: 'fast', KUBERNETES_SERVICE_HOST: '10.96.0.1' });
    expect(env.MY_DB_PORT).toBe('tcp://10.96.4.4:5432');
    expect(env.HEADLESS_SERVICE_HOST).toBeUndefined();
  });

  test('without service links only the API is there', () => {
    const env = environment({}, { enableServiceLinks: false });
    expect(env.MY_DB_SERVICE_HOST).toBeUndefined();
    expect(env.KUBERNETES_SERVICE_PORT).toBe('443');
  });

  test('fields, resources, keys of ConfigMaps and Secrets', () => {
    const container: Partial<Container> = {
      resources: { limits: { cpu: '1500m', memory: '64Mi' }, requests: { cpu: '250m' } },
      env: [
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
        { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
        { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
        { name: 'MILLIS', valueFrom: { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } } },
        { name: 'MEBI', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
        { name: 'MODE', valueFrom: { configMapKeyRef: { name: 'settings', key: 'mode' } } },
        { name: 'USER', valueFrom: { secretKeyRef: { name: 'login', key: 'user' } } },
        { name: 'GONE', valueFrom: { secretKeyRef: { name: 'login', key: 'none', optional: true } } },
      ],
    };
    const env = environment(container);
    expect(env).toMatchObject({ IP: '10.244.1.5', NODE: 'worker-1', APP: 'web', CPU: '2', MILLIS: '250', MEBI: '64' });
    expect(env).toMatchObject({ MODE: 'fast', USER: 'ann' });
    expect('GONE' in env).toBe(false);
  });

  const wrong: [string, NonNullable<Container['env']>[number]['valueFrom'], string][] = [
    ['a missing ConfigMap', { configMapKeyRef: { name: 'no', key: 'k' } }, 'configmap "no" not found'],
    [
      'a missing key',
      { configMapKeyRef: { name: 'settings', key: 'k' } },
      "couldn't find key k in ConfigMap shop/settings",
    ],
    ['a missing Secret', { secretKeyRef: { name: 'no', key: 'k' } }, 'secret "no" not found'],
  ];
  test.each(wrong)('%s is told', (_name, valueFrom, message) => {
    const failing = () => environment({ env: [{ name: 'A', valueFrom }] });
    expect(failing).toThrow(ContainerConfigError);
    expect(failing).toThrow(message);
  });

  test('an unknown field path is told', () => {
    const valueFrom = { fieldRef: { fieldPath: 'status.mood' } };
    expect(() => environment({ env: [{ name: 'A', valueFrom }] })).toThrow(DownwardApiError);
  });
});

describe('volumes', () => {
  const sources = {
    ...OBJECTS,
    facts: FACTS,
    token: async (audience?: string) => `token for ${audience ?? 'the API'}`,
  };
  const text = async (volume: object) => {
    const files = await volumeFiles({ name: 'v', ...volume }, pod(), sources);
    return Object.fromEntries(
      [...(files ?? [])].map(([path, { content }]) => [path, Buffer.from(content).toString('latin1')]),
    );
  };

  test('of a ConfigMap: all keys, or the chosen ones at their paths', async () => {
    expect(await text({ configMap: { name: 'settings' } })).toEqual({
      mode: 'fast',
      'a.conf': 'one',
      'blob.bin': '\0\xff',
    });
    const items = [{ key: 'a.conf', path: 'conf.d/x.conf' }];
    expect(await text({ configMap: { name: 'settings', items } })).toEqual({ 'conf.d/x.conf': 'one' });
  });

  test('the usual one of a service account', async () => {
    const projected = {
      sources: [
        { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
        { configMap: { name: 'settings', items: [{ key: 'mode', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
      ],
    };
    expect(await text({ projected })).toEqual({ token: 'token for the API', 'ca.crt': 'fast', namespace: 'shop' });
  });

  test('labels as the downward API writes them', async () => {
    const items = [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }];
    expect(await text({ downwardAPI: { items } })).toEqual({ labels: 'app="web"\ntier="front"' });
  });

  test('a missing object or key is told, an optional one is not', async () => {
    await expect(text({ secret: { secretName: 'no' } })).rejects.toThrow(VolumeError);
    await expect(text({ configMap: { name: 'settings', items: [{ key: 'k', path: 'k' }] } })).rejects.toThrow('k');
    expect(await text({ secret: { secretName: 'no', optional: true } })).toEqual({});
  });

  test('follow their object, and keep their identity', async () => {
    const volumes = new PodVolumes();
    const withVolume = pod({ volumes: [{ name: 'conf', configMap: { name: 'settings' } }] });
    await volumes.prepare(withVolume, sources);
    const container = { name: 'web', volumeMounts: [{ name: 'conf', mountPath: '/etc/conf' }] };
    const [before] = volumes.mounts(container, {});
    const changed = { ...sources, configMap: () => ({ data: { mode: 'slow' } }) };
    await volumes.prepare(withVolume, changed);
    const [after] = volumes.mounts(container, {});
    expect(after?.volume).toBe(before?.volume);
    expect(after?.volume.directory.names().filter((name) => !name.startsWith('..'))).toEqual(['mode']);
    expect(after?.readOnly).toBe(true);
    expect(() => volumes.mounts({ name: 'web', volumeMounts: [{ name: 'no', mountPath: '/x' }] }, {})).toThrow(
      VolumeError,
    );
  });
});

describe('names', () => {
  const policies: [string, Partial<NonNullable<Pod['spec']>>, string][] = [
    [
      'ClusterFirst',
      {},
      'search shop.svc.cluster.local svc.cluster.local cluster.local example.com\nnameserver 10.96.0.10\noptions ndots:5\n',
    ],
    ['ClusterFirst on the host network', { hostNetwork: true }, 'search example.com\nnameserver 192.0.2.1\n'],
    [
      'ClusterFirstWithHostNet',
      { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' },
      'search shop.svc.cluster.local svc.cluster.local cluster.local example.com\nnameserver 10.96.0.10\noptions ndots:5\n',
    ],
    ['Default', { dnsPolicy: 'Default' }, 'search example.com\nnameserver 192.0.2.1\n'],
    [
      'None with a configuration',
      {
        dnsPolicy: 'None',
        dnsConfig: {
          nameservers: ['198.51.100.1'],
          searches: ['a.test'],
          options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
        },
      },
      'search a.test\nnameserver 198.51.100.1\noptions ndots:2 edns0\n',
    ],
  ];
  test.each(policies)('resolv.conf of %s', (_name, spec, expected) => {
    expect(resolvConf(pod(spec), CLUSTER, NODE)).toBe(expected);
  });

  test('hosts: own name with subdomain, and aliases', () => {
    const spec = { hostname: 'db', subdomain: 'stores', hostAliases: [{ ip: '192.0.2.9', hostnames: ['a', 'b'] }] };
    const lines = hostsFile(pod(spec), ['10.244.1.5'], 'worker-1', CLUSTER).split('\n');
    expect(lines).toContain('127.0.0.1\tlocalhost');
    expect(lines).toContain('10.244.1.5\tdb.stores.shop.svc.cluster.local\tdb');
    expect(lines).toContain('192.0.2.9\ta\tb');
  });

  test('hosts of a pod of the host network: its node, and aliases', () => {
    const spec = { hostNetwork: true, subdomain: 'stores', hostAliases: [{ ip: '192.0.2.9', hostnames: ['a'] }] };
    const lines = hostsFile(pod(spec), ['192.168.1.10', 'fd00::10'], 'worker-1', CLUSTER).split('\n');
    expect(lines[0]).toBe('# Kubernetes-managed hosts file (host network).');
    expect(lines.slice(1).join('\n')).toBe(
      `${nodeHostsFile('worker-1', ['192.168.1.10', 'fd00::10'])}\n# Entries added by HostAliases.\n192.0.2.9\ta\n`,
    );
    expect(lines).toContain('192.168.1.10\tworker-1');
  });

  test('host name: of the pod, of its specification, of the node, and never too long', () => {
    expect(podHostname(pod(), 'worker-1')).toBe('web-0');
    expect(podHostname(pod({ hostname: 'db' }), 'worker-1')).toBe('db');
    expect(podHostname(pod({ hostNetwork: true }), 'worker-1')).toBe('worker-1');
    const long = { ...pod(), metadata: { name: `${'x'.repeat(62)}-yy` } };
    expect(podHostname(long, 'worker-1')).toBe('x'.repeat(62));
  });
});

test('references: every place that names a ConfigMap or Secret', () => {
  const spec: Partial<NonNullable<Pod['spec']>> = {
    volumes: [
      { name: 'a', configMap: { name: 'c1' } },
      { name: 'b', projected: { sources: [{ secret: { name: 's1' } }, { configMap: { name: 'c2' } }] } },
    ],
    initContainers: [{ name: 'i', envFrom: [{ secretRef: { name: 's2' } }] }],
    containers: [{ name: 'c', env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'c3', key: 'k' } } }] }],
  };
  const found = references(pod(spec));
  expect([[...found.configMaps].sort(), [...found.secrets].sort()]).toEqual([
    ['c1', 'c2', 'c3'],
    ['s1', 's2'],
  ]);
});
