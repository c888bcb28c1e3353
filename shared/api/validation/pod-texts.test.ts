/** The original's words for what is wrong with a pod and its containers: each row is one mistake in one that is right otherwise. */
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../object.ts';
import { errorTexts } from './validate.testkit.ts';
import { warningsFor } from './warnings.ts';

const container = { name: 'c', image: 'nginx' };

describe('containers', () => {
  const inContainer = (fields: JsonObject) => ({ spec: { containers: [{ ...container, ...fields }] } });
  test.each<[fields: JsonObject, texts: string[]]>([
    [{ restartPolicy: 'Always' }, ['restartPolicy: Forbidden: may not be set for non-init containers']],
    [{ livenessProbe: { exec: {} } }, ['livenessProbe.exec.command: Required value']],
    [
      { readinessProbe: { tcpSocket: { port: 1 }, terminationGracePeriodSeconds: 5 } },
      ['readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes'],
    ],
    [
      { livenessProbe: { tcpSocket: { port: 1 }, periodSeconds: -1 } },
      ['livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      { livenessProbe: { httpGet: { port: 80, httpHeaders: [{ name: 'a b', value: 'c' }] } } },
      [
        "livenessProbe.httpGet.httpHeaders[0]: Invalid value: \"a b\": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
      ],
    ],
    [
      { resources: { requests: { foo: '1' } } },
      [
        'resources.requests[foo]: Invalid value: "foo": must be a standard resource type or fully qualified',
        'resources.requests[foo]: Invalid value: "foo": must be a standard resource for containers',
      ],
    ],
    [{ resources: { limits: { 'example.org/gpu': '1', 'hugepages-2Mi': '2Mi' } } }, []],
    [
      { resources: { limits: { 'example.org/gpu': '500m' } } },
      [
        'resources.limits[example.org/gpu]: Invalid value: "500m": must be an integer',
        'resources.requests[example.org/gpu]: Invalid value: "500m": must be an integer',
      ],
    ],
    [
      { resources: { requests: { 'example.org/gpu': '1' } } },
      ['resources.limits: Required value: Limit must be set for non overcommitable resources'],
    ],
    [
      { resources: { limits: { 'example.org/gpu': '2' }, requests: { 'example.org/gpu': '1' } } },
      ['resources.requests: Invalid value: "1": must be equal to example.org/gpu limit of 2'],
    ],
    [
      { ports: [{ containerPort: 80, name: 'UPPER' }] },
      [
        'ports[0].name: Invalid value: "UPPER": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
        'ports[0].name: Invalid value: "UPPER": must contain at least one letter (a-z)',
      ],
    ],
    [
      {
        ports: [
          { containerPort: 80, name: 'web' },
          { containerPort: 81, name: 'web' },
        ],
      },
      ['ports[1].name: Duplicate value: "web"'],
    ],
    [
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { key: 'a' } } }] },
      ['env[0].valueFrom.configMapKeyRef.name: Required value'],
    ],
    [
      { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.labels' } } }] },
      [
        'env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
      ],
    ],
    [{ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } }] }, []],
    [{ envFrom: [{}] }, ['envFrom[0]: Invalid value: "": must specify one of: `configMapRef` or `secretRef`']],
    [{ envFrom: [{ secretRef: {} }] }, ['envFrom[0].secretRef.name: Required value']],
  ])('%j', (fields, texts) => {
    const found = errorTexts('v1', 'Pod', inContainer(fields));
    expect(found).toEqual(texts.map((text) => `spec.containers[0].${text}`));
  });
});

describe('pods', () => {
  test.each<[spec: JsonObject, texts: string[]]>([
    [{ containers: [container, container] }, ['spec.containers[1].name: Duplicate value: "c"']],
    [
      { initContainers: [{ ...container, name: 'i', restartPolicy: 'Never' }] },
      ['spec.initContainers[0].restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [{ volumes: [{ name: 'a', configMap: {} }] }, ['spec.volumes[0].configMap.name: Required value']],
    [{ volumes: [{ name: 'a', secret: {} }] }, ['spec.volumes[0].secret.secretName: Required value']],
    [
      { volumes: [{ name: 'a', configMap: { name: 'a', items: [{ key: 'k', path: '/etc' }] } }] },
      ['spec.volumes[0].configMap.items[0].path: Invalid value: "/etc": must be a relative path'],
    ],
    [
      { volumes: [{ name: 'a', configMap: { name: 'a', defaultMode: 1000 } }] },
      [
        'spec.volumes[0].configMap.defaultMode: Invalid value: 1000: must be a number between 0 and 0777 (octal), both inclusive',
      ],
    ],
    [
      {
        volumes: [
          { name: 'a', projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 5 } }] } },
        ],
      },
      [
        'spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes',
      ],
    ],
    [
      { volumes: [{ name: 'a', hostPath: { path: '/a', type: 'x' } }] },
      [
        'spec.volumes[0].hostPath.type: Unsupported value: "x": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"',
      ],
    ],
    [
      { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } } },
      [
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term',
      ],
    ],
    [
      {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Gt', values: ['1', '2'] }] }],
            },
          },
        },
      },
      [
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'",
      ],
    ],
  ])('%j', (spec, texts) => {
    expect(errorTexts('v1', 'Pod', { spec: { containers: [container], ...spec } })).toEqual(texts);
  });

  test('values of labels', () => {
    expect(errorTexts('v1', 'Pod', { metadata: { labels: { a: 'b c' } }, spec: { containers: [container] } })).toEqual([
      "metadata.labels: Invalid value: \"b c\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ]);
  });
});

test('a variable that stands twice is a warning', () => {
  const env = [{ name: 'A' }, { name: 'B' }, { name: 'A' }];
  const spec = { containers: [container, { ...container, name: 'd', env }] };
  const text = 'hides previous definition of "A", which may be dropped when using apply';
  expect(errorTexts('v1', 'Pod', { spec })).toEqual([]);
  expect(warningsFor({ spec }, 'core.v1.Pod')).toEqual([`spec.containers[1].env[2]: ${text}`]);
  expect(warningsFor({ spec: { template: { spec } } }, 'apps.v1.Deployment')).toEqual([
    `spec.template.spec.containers[1].env[2]: ${text}`,
  ]);
  expect(warningsFor({ data: {} }, 'core.v1.ConfigMap')).toEqual([]);
});
