import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../object.ts';
import { findKind, REGISTRY } from '../registry.ts';
import { ApiError, invalid } from '../status.ts';
import { errorTexts, prepared, updateTexts } from './validate.testkit.ts';
import { validateCreate } from './validate.ts';

const container = { name: 'web', image: 'nginx' };

function podErrors(spec: JsonObject): string[] {
  return errorTexts('v1', 'Pod', { spec: { containers: [container], ...spec } });
}

function containerErrors(fields: JsonObject): string[] {
  return podErrors({ containers: [{ ...container, ...fields }] });
}

describe('metadata', () => {
  test.each([
    [
      'Pod',
      { name: 'Web_1' },
      "metadata.name: Invalid value: \"Web_1\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ],
    [
      'Service',
      { name: '1web' },
      "metadata.name: Invalid value: \"1web\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    ],
    ['Pod', { name: '' }, 'metadata.name: Required value: name or generateName is required'],
    [
      'Pod',
      { labels: { a: '-b' } },
      "metadata.labels: Invalid value: \"-b\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ],
    [
      'Pod',
      { finalizers: ['x'] },
      'metadata.finalizers[0]: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified',
    ],
  ])('%s %j', (kind, metadata, text) => {
    const spec = kind === 'Pod' ? { containers: [container] } : { ports: [{ port: 80 }] };
    expect(errorTexts('v1', kind, { metadata, spec })).toEqual([text]);
  });
});

describe('pods', () => {
  test('a good pod has no errors', () => {
    expect(podErrors({})).toEqual([]);
  });

  test.each<[JsonObject, string]>([
    [{ containers: [] }, 'spec.containers: Required value'],
    [{ containers: [container, container] }, 'spec.containers[1].name: Duplicate value: "web"'],
    [{ containers: [{ name: 'a' }] }, 'spec.containers[0].image: Required value'],
    [
      { restartPolicy: 'Sometimes' },
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
    ],
    [
      { dnsPolicy: 'None' },
      'spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None',
    ],
    [
      { terminationGracePeriodSeconds: -1 },
      'spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0',
    ],
    [
      { volumes: [{ name: 'a', emptyDir: {}, hostPath: { path: '/' } }] },
      'spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type',
    ],
    [{ volumes: [{ name: 'a' }, { name: 'a' }] }, 'spec.volumes[1].name: Duplicate value: "a"'],
    [
      { hostAliases: [{ ip: 'x' }] },
      'spec.hostAliases[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
    [
      { tolerations: [{ key: 'a', effect: 'x' }] },
      'spec.tolerations[0].effect: Unsupported value: "x": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ],
  ])('%j', (spec, text) => {
    expect(podErrors(spec)).toContain(text);
  });

  test.each<[JsonObject, string]>([
    [
      { ports: [{ containerPort: 70000 }] },
      'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
    ],
    [
      { ports: [{ containerPort: 80, protocol: 'X' }] },
      'spec.containers[0].ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
    ],
    [
      { imagePullPolicy: 'x' },
      'spec.containers[0].imagePullPolicy: Unsupported value: "x": supported values: "Always", "IfNotPresent", "Never"',
    ],
    [
      { volumeMounts: [{ name: 'gone', mountPath: '/a' }] },
      'spec.containers[0].volumeMounts[0].name: Not found: "gone"',
    ],
    [{ env: [{ name: '' }] }, 'spec.containers[0].env[0].name: Required value'],
    [
      { resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } },
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
    [
      { resources: { limits: { cpu: '-1' } } },
      'spec.containers[0].resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
    ],
    [{ livenessProbe: {} }, 'spec.containers[0].livenessProbe: Required value: must specify a handler type'],
    [
      { livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } },
      'spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1',
    ],
    [
      { readinessProbe: { httpGet: { port: 0 } } },
      'spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive',
    ],
  ])('container %j', (fields, text) => {
    expect(containerErrors(fields)).toContain(text);
  });
});

describe('workloads', () => {
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [container] } };
  const selector = { matchLabels: { app: 'web' } };

  test.each<[string, string, JsonObject, string[]]>([
    ['apps/v1', 'Deployment', { selector, template }, []],
    [
      'apps/v1',
      'Deployment',
      { template },
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
      ],
    ],
    [
      'apps/v1',
      'Deployment',
      { selector: { matchLabels: { app: 'x' } }, template },
      ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
    ],
    [
      'apps/v1',
      'Deployment',
      { selector, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } },
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'apps/v1',
      'Deployment',
      { selector, template, replicas: -1 },
      ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'apps/v1',
      'Deployment',
      { selector, template, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0'],
    ],
    ['apps/v1', 'DaemonSet', { selector, template }, []],
    ['apps/v1', 'StatefulSet', { selector, template, serviceName: 'x' }, []],
    [
      'batch/v1',
      'Job',
      { template },
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    [
      'batch/v1',
      'CronJob',
      {
        schedule: '* * *',
        jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } },
      },
      ['spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]'],
    ],
  ])('%s %s %j', (apiVersion, kind, spec, texts) => {
    expect(errorTexts(apiVersion, kind, { spec })).toEqual(texts);
  });
});

describe('policies and configuration', () => {
  test.each<[string, string, JsonObject, string[]]>([
    [
      'networking.k8s.io/v1',
      'NetworkPolicy',
      { spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] } },
      [],
    ],
    [
      'networking.k8s.io/v1',
      'NetworkPolicy',
      { spec: { podSelector: {}, ingress: [{ from: [{}] }] } },
      ['spec.ingress[0].from[0]: Required value: must specify a peer'],
    ],
    [
      'networking.k8s.io/v1',
      'NetworkPolicy',
      { spec: { podSelector: {}, egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }] }] } },
      ['spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`'],
    ],
    [
      'networking.k8s.io/v1',
      'NetworkPolicy',
      { spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } } },
      [
        "spec.podSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      ],
    ],
    [
      'v1',
      'ConfigMap',
      { data: { 'a b': 'x' } },
      [
        "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ],
    ],
    ['v1', 'Secret', { type: 'kubernetes.io/tls', data: { 'tls.crt': 'eA==' } }, ['data[tls.key]: Required value']],
    [
      'coordination.k8s.io/v1',
      'Lease',
      { spec: { leaseDurationSeconds: 0 } },
      ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
    ],
  ])('%s %s %j', (apiVersion, kind, fields, texts) => {
    expect(errorTexts(apiVersion, kind, fields)).toEqual(texts);
  });
});

describe('updates', () => {
  test('a pod changes its image only', () => {
    const spec = { containers: [container] };
    expect(updateTexts('v1', 'Pod', { spec }, { spec: { containers: [{ ...container, image: 'x' }] } })).toEqual([]);
    expect(updateTexts('v1', 'Pod', { spec }, { spec: { ...spec, nodeName: 'x' } })[0]).toMatch(
      /^spec: Forbidden: pod updates may not change fields other than/,
    );
    expect(
      updateTexts('v1', 'Pod', { spec }, { spec: { containers: [container, { ...container, name: 'b' }] } }),
    ).toEqual(['spec.containers: Forbidden: pod updates may not add or remove containers']);
  });

  test('selectors, cluster IPs, frozen data', () => {
    const template = { metadata: { labels: { app: 'web', b: 'c' } }, spec: { containers: [container] } };
    expect(
      updateTexts(
        'apps/v1',
        'Deployment',
        { spec: { template, selector: { matchLabels: { app: 'web' } } } },
        { spec: { template, selector: { matchLabels: { b: 'c' } } } },
      ),
    ).toEqual(['spec.selector: Invalid value: {"matchLabels":{"b":"c"}}: field is immutable']);
    const ports = [{ port: 80 }];
    expect(
      updateTexts(
        'v1',
        'Service',
        { spec: { ports, clusterIP: '10.96.0.1' } },
        { spec: { ports, clusterIP: '10.96.0.2' } },
      ),
    ).toEqual(['spec.clusterIPs[0]: Invalid value: ["10.96.0.2"]: may not change once set']);
    expect(
      updateTexts('v1', 'ConfigMap', { immutable: true, data: { a: '1' } }, { immutable: true, data: { a: '2' } }),
    ).toEqual(['data: Forbidden: field is immutable when `immutable` is set']);
    expect(updateTexts('v1', 'Secret', { type: 'a' }, { type: 'b' })).toEqual([
      'type: Invalid value: "b": field is immutable',
    ]);
  });
});

test('the answer names every error once', () => {
  const definition = findKind('v1', 'Service')!;
  const object = prepared(definition, {
    metadata: { name: 'x', namespace: 'default' },
    spec: { ports: [{ port: 0 }] },
  });
  const errors = validateCreate(object, definition);
  const error = invalid(definition, 'x', errors);
  expect(error.toStatus()).toMatchObject({
    code: 422,
    reason: 'Invalid',
    message: expect.stringMatching(
      /^Service "x" is invalid: \[spec\.ports\[0\]\.port: Invalid value: 0: must be between/,
    ),
    details: {
      kind: 'Service',
      causes: [{ reason: 'FieldValueInvalid', field: 'spec.ports[0].port' }, { field: 'spec.ports[0].targetPort' }],
    },
  });
});

test('any JSON of any kind is judged without a crash', () => {
  const definitions = fc.constantFrom(...REGISTRY);
  fc.assert(
    fc.property(
      definitions,
      fc.dictionary(fc.constantFrom('spec', 'data', 'subjects', 'rules'), fc.jsonValue()),
      (definition, fields) => {
        try {
          const object = prepared(definition, { metadata: { name: 'a' }, ...fields });
          expect(Array.isArray(validateCreate(object, definition))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ApiError);
        }
      },
    ),
  );
});

describe('what else a kind asks for', () => {
  const container = { name: 'c', image: 'nginx' };
  const pod = (spec: JsonObject) => ({ spec: { containers: [container], ...spec } });
  test.each<[apiVersion: string, kind: string, object: JsonObject, texts: string[]]>([
    [
      'v1',
      'Pod',
      pod({ containers: [{ ...container, ports: [{ protocol: 'TCP' }] }] }),
      ['spec.containers[0].ports[0].containerPort: Required value'],
    ],
    [
      'v1',
      'Pod',
      pod({
        containers: [{ ...container, env: [{ name: 'A', value: 'a', valueFrom: { fieldRef: { fieldPath: 'x' } } }] }],
      }),
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "x": error converting fieldPath: field label not supported: x',
        'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
      ],
    ],
    [
      'v1',
      'Pod',
      pod({ initContainers: [{ ...container, name: 'i', livenessProbe: { tcpSocket: { port: 80 } } }] }),
      [
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      'v1',
      'Service',
      { spec: { ports: [{ port: 80 }], sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } } },
      ['spec.sessionAffinityConfig: Forbidden: must not be set when session affinity is None'],
    ],
    [
      'batch/v1',
      'Job',
      { spec: { completionMode: 'Indexed', parallelism: 2, template: pod({ restartPolicy: 'Never' }) } },
      ['spec.completions: Required value: when completion mode is Indexed'],
    ],
    [
      'networking.k8s.io/v1',
      'Ingress',
      { spec: {} },
      ['spec: Invalid value: []: either `defaultBackend` or `rules` must be specified'],
    ],
    [
      'networking.k8s.io/v1',
      'Ingress',
      { spec: { defaultBackend: { service: { name: 'web' } } } },
      ['spec.defaultBackend: Required value: port name or number is required'],
    ],
    [
      'rbac.authorization.k8s.io/v1',
      'Role',
      { rules: [{ verbs: ['get'] }, { verbs: ['get'], nonResourceURLs: ['/x'] }] },
      [
        'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
        'rules[0].resources: Required value: resource rules must supply at least one resource',
        'rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
      ],
    ],
    [
      'v1',
      'PersistentVolumeClaim',
      { spec: { resources: {} } },
      [
        'spec.accessModes: Required value: at least 1 access mode is required',
        'spec.resources[storage]: Required value',
      ],
    ],
  ])('%s %s %j', (apiVersion, kind, object, texts) => {
    expect(errorTexts(apiVersion, kind, object)).toEqual(texts);
  });
});
