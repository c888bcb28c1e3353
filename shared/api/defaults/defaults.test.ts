import { describe, expect, test } from 'vitest';
import { imagePullPolicyOf, parseImageReference } from '../image-reference.ts';
import type { JsonObject } from '../object.ts';
import { REGISTRY } from '../registry.ts';
import { decodeObject } from '../schema/decode.ts';
import { applyDefaults } from './defaults.ts';

function defaulted(schema: string, value: JsonObject): JsonObject {
  const { object } = decodeObject(value, schema, { kind: 'X', version: 'v1' });
  applyDefaults(object, schema);
  return object;
}

const CONTAINER = {
  name: 'web',
  image: 'nginx',
  resources: {},
  imagePullPolicy: 'Always',
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
};

test('a minimal pod', () => {
  expect(defaulted('core.v1.Pod', { spec: { containers: [{ name: 'web', image: 'nginx' }] } }).spec).toEqual({
    containers: [CONTAINER],
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    enableServiceLinks: true,
  });
});

test('probes, ports, volumes, resources of a pod', () => {
  const pod = defaulted('core.v1.Pod', {
    spec: {
      hostNetwork: true,
      serviceAccount: 'x',
      containers: [
        {
          name: 'web',
          image: 'nginx:1.27',
          ports: [{ containerPort: 80 }],
          readinessProbe: { httpGet: { port: 80 } },
          livenessProbe: { grpc: { port: 1 } },
          resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } },
        },
      ],
      volumes: [{ name: 'a' }, { name: 'b', configMap: { name: 'c' } }],
    },
  });
  expect(pod.spec).toMatchObject({
    serviceAccountName: 'x',
    containers: [
      {
        imagePullPolicy: 'IfNotPresent',
        ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }],
        readinessProbe: {
          httpGet: { path: '/', port: 80, scheme: 'HTTP' },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
        livenessProbe: { grpc: { port: 1, service: '' } },
        resources: { requests: { cpu: '500m', memory: '1Gi' } },
      },
    ],
    volumes: [{ emptyDir: {} }, { configMap: { defaultMode: 420 } }],
  });
});

test('services by type', () => {
  expect(defaulted('core.v1.Service', { spec: { ports: [{ port: 80 }] } }).spec).toEqual({
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    type: 'ClusterIP',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
  });
  expect(
    defaulted('core.v1.Service', { spec: { type: 'LoadBalancer', sessionAffinity: 'ClientIP' } }).spec,
  ).toMatchObject({
    externalTrafficPolicy: 'Cluster',
    allocateLoadBalancerNodePorts: true,
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
  });
  expect(defaulted('core.v1.Service', { spec: { type: 'ExternalName', externalName: 'x.y' } }).spec).toEqual({
    type: 'ExternalName',
    externalName: 'x.y',
    sessionAffinity: 'None',
  });
});

test('workloads', () => {
  const template = { spec: { containers: [{ name: 'web', image: 'nginx' }] } };
  expect(defaulted('apps.v1.Deployment', { spec: { template, strategy: {} } }).spec).toMatchObject({
    replicas: 1,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    template: { spec: { containers: [CONTAINER] } },
  });
  expect(defaulted('apps.v1.Deployment', { spec: { replicas: 0, strategy: { type: 'Recreate' } } }).spec).toMatchObject(
    {
      replicas: 0,
      strategy: { type: 'Recreate' },
    },
  );
  expect(defaulted('apps.v1.DaemonSet', { spec: { template } }).spec).toMatchObject({
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
  });
  expect(defaulted('batch.v1.Job', { spec: { template, parallelism: 3 } }).spec).toMatchObject({
    parallelism: 3,
    backoffLimit: 6,
    completionMode: 'NonIndexed',
  });
});

test('policies', () => {
  const rule = { ports: [{ port: 80 }] };
  expect(defaulted('networking.v1.NetworkPolicy', { spec: { podSelector: {}, egress: [rule] } }).spec).toMatchObject({
    policyTypes: ['Ingress', 'Egress'],
    egress: [{ ports: [{ port: 80, protocol: 'TCP' }] }],
  });
  expect(defaulted('networking.v1.NetworkPolicy', { spec: {} }).spec).toEqual({
    podSelector: {},
    policyTypes: ['Ingress'],
  });
});

test('defaulting twice changes nothing, and an empty object of any kind is borne', () => {
  for (const { schema } of REGISTRY) {
    const once = defaulted(schema, { metadata: { name: 'a' } });
    const before = structuredClone(once);
    applyDefaults(once, schema);
    expect(once, schema).toEqual(before);
  }
});

describe('images', () => {
  test.each([
    ['nginx', 'nginx', 'latest', 'Always'],
    ['nginx:latest', 'nginx', 'latest', 'Always'],
    ['nginx:1.27', 'nginx', '1.27', 'IfNotPresent'],
    ['localhost:5000/a/b', 'localhost:5000/a/b', 'latest', 'Always'],
    ['localhost:5000/a/b:v1', 'localhost:5000/a/b', 'v1', 'IfNotPresent'],
    ['a@sha256:abc', 'a', undefined, 'IfNotPresent'],
  ])('%s', (image, repository, tag, policy) => {
    expect(parseImageReference(image)).toMatchObject({ repository, tag });
    expect(imagePullPolicyOf(image)).toBe(policy);
  });
});
