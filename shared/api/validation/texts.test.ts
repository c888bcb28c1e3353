/** The original's words for what is wrong, kind by kind (of pods: pod-texts.test.ts): each row is one mistake in an object that is right otherwise. */
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../object.ts';
import { errorTexts, updateTexts } from './validate.testkit.ts';

const container = { name: 'c', image: 'nginx' };
const labels = { app: 'web' };
const template = { metadata: { labels }, spec: { containers: [container] } };
const selecting = { selector: { matchLabels: labels }, template };
const job = { template: { spec: { containers: [container], restartPolicy: 'Never' } } };

const ingress = (path: JsonObject) => ({
  rules: [{ http: { paths: [{ backend: { service: { name: 'web', port: { number: 80 } } }, ...path }] } }],
});
const AT_PATH = 'spec.rules[0].http.paths[0]';
const autoscaler = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 3 };
const cron = { schedule: '* * * * *', jobTemplate: { spec: job } };

describe('specifications', () => {
  test.each<[apiVersion: string, kind: string, spec: JsonObject, texts: string[]]>([
    [
      'apps/v1',
      'Deployment',
      { ...selecting, template: { ...template, spec: { ...template.spec, activeDeadlineSeconds: 5 } } },
      ['spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported'],
    ],
    ['batch/v1', 'CronJob', cron, []],
    ['batch/v1', 'CronJob', { ...cron, schedule: '@hourly', timeZone: 'Europe/Paris' }, []],
    ['batch/v1', 'CronJob', { ...cron, schedule: '*/5 1-3,7 1 jan-mar MON' }, []],
    [
      'batch/v1',
      'CronJob',
      { ...cron, schedule: '70 * * * *' },
      ['spec.schedule: Invalid value: "70 * * * *": end of range (70) above maximum (59): 70'],
    ],
    [
      'batch/v1',
      'CronJob',
      { ...cron, schedule: '0 0 0 * *' },
      ['spec.schedule: Invalid value: "0 0 0 * *": beginning of range (0) below minimum (1): 0'],
    ],
    [
      'batch/v1',
      'CronJob',
      { ...cron, schedule: '*/0 * * * x' },
      ['spec.schedule: Invalid value: "*/0 * * * x": step of range should be a positive number: */0'],
    ],
    [
      'batch/v1',
      'CronJob',
      { ...cron, schedule: '* * * * x' },
      [
        'spec.schedule: Invalid value: "* * * * x": failed to parse int from expression x: strconv.Atoi: parsing "x": invalid syntax',
      ],
    ],
    [
      'batch/v1',
      'CronJob',
      { ...cron, schedule: 'TZ=UTC * * * * *' },
      [
        'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
      ],
    ],
    [
      'batch/v1',
      'CronJob',
      { ...cron, timeZone: 'Mars/Olympus' },
      ['spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus'],
    ],
    [
      'policy/v1',
      'PodDisruptionBudget',
      { minAvailable: 1, maxUnavailable: 1, selector: {} },
      [
        'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1,"selector":{}}: minAvailable and maxUnavailable cannot be both set',
      ],
    ],
    [
      'policy/v1',
      'PodDisruptionBudget',
      { minAvailable: '120%', selector: {} },
      ['spec.minAvailable: Invalid value: "120%": must not be greater than 100%'],
    ],
    [
      'policy/v1',
      'PodDisruptionBudget',
      { maxUnavailable: 'half', selector: {} },
      [
        "spec.maxUnavailable: Invalid value: \"half\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ],
    ],
    [
      'autoscaling/v2',
      'HorizontalPodAutoscaler',
      { ...autoscaler, minReplicas: 5 },
      ['spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'],
    ],
    [
      'autoscaling/v2',
      'HorizontalPodAutoscaler',
      { ...autoscaler, maxReplicas: 0, minReplicas: 0 },
      [
        'spec.maxReplicas: Invalid value: 0: must be greater than 0',
        'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1',
      ],
    ],
    [
      'autoscaling/v2',
      'HorizontalPodAutoscaler',
      { ...autoscaler, metrics: [{ type: 'Resource' }, { type: 'Guess' }] },
      [
        'spec.metrics[0].resource: Required value: must populate information for the given metric source',
        'spec.metrics[1].type: Unsupported value: "Guess": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
      ],
    ],
    [
      'networking.k8s.io/v1',
      'NetworkPolicy',
      { podSelector: {}, ingress: [{ ports: [{ port: 80, endPort: 70 }, { port: 70000 }, { endPort: 5 }] }] },
      [
        'spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`',
        'spec.ingress[0].ports[1].port: Invalid value: 70000: must be between 1 and 65535, inclusive',
        'spec.ingress[0].ports[2].endPort: Invalid value: 5: may not be specified when `port` is not specified',
      ],
    ],
    [
      'networking.k8s.io/v1',
      'NetworkPolicy',
      {
        podSelector: { matchExpressions: [{ key: 'a', operator: 'Is' }] },
        policyTypes: ['Both'],
        egress: [
          {
            ports: [
              { port: 80, endPort: 70000 },
              { port: 80, protocol: 'ICMP' },
            ],
          },
        ],
      },
      [
        'spec.egress[0].ports[0].endPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
        'spec.egress[0].ports[1].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"',
        'spec.podSelector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator',
        'spec.policyTypes[0]: Unsupported value: "Both": supported values: "Ingress", "Egress"',
      ],
    ],
    [
      'networking.k8s.io/v1',
      'NetworkPolicy',
      { podSelector: {}, policyTypes: ['Ingress', 'Egress', 'Ingress'] },
      ['spec.policyTypes: Invalid value: ["Ingress","Egress","Ingress"]: may not specify more than two policyTypes'],
    ],
    ['networking.k8s.io/v1', 'Ingress', ingress({ path: '/a', pathType: 'Prefix' }), []],
    ['networking.k8s.io/v1', 'Ingress', ingress({ pathType: 'ImplementationSpecific' }), []],
    ['networking.k8s.io/v1', 'Ingress', ingress({ path: '/a' }), [`${AT_PATH}.pathType: Required value`]],
    [
      'networking.k8s.io/v1',
      'Ingress',
      ingress({ path: 'a', pathType: 'Prefix' }),
      [`${AT_PATH}.path: Invalid value: "a": must be an absolute path`],
    ],
    [
      'networking.k8s.io/v1',
      'Ingress',
      ingress({ path: '/a//b/..', pathType: 'Exact' }),
      [
        `${AT_PATH}.path: Invalid value: "/a//b/..": must not contain '//'`,
        `${AT_PATH}.path: Invalid value: "/a//b/..": cannot end with '/..'`,
      ],
    ],
    [
      'v1',
      'LimitRange',
      { limits: [{ type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } }] },
      [
        'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
        'spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
        'spec.limits[0].default[cpu]: Invalid value: "1": min value 2 is greater than default value 1',
      ],
    ],
    [
      'v1',
      'LimitRange',
      { limits: [{ type: 'Pod', default: { cpu: '1' } }, { type: 'Pod' }] },
      [
        "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
        'spec.limits[1].type: Duplicate value: "Pod"',
      ],
    ],
    [
      'v1',
      'ResourceQuota',
      { hard: { pods: '1500m', bananas: '1', 'count/pods': '1' }, scopes: ['Sometimes'] },
      [
        'spec.scopes[0]: Unsupported value: "Sometimes": supported values: "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating"',
        'spec.hard[pods]: Invalid value: "1500m": must be an integer',
        'spec.hard[bananas]: Invalid value: "bananas": must be a standard resource for quota',
      ],
    ],
  ])('%s %s %j', (apiVersion, kind, spec, texts) => {
    expect(errorTexts(apiVersion, kind, { spec })).toEqual(texts);
  });
});

describe('what does not change', () => {
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  const CLAIM =
    'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
  const service = { ports: [{ port: 80 }], clusterIP: '10.96.0.9' };
  test.each<[apiVersion: string, kind: string, before: JsonObject, change: JsonObject, texts: string[]]>([
    [
      'batch/v1',
      'Job',
      { ...job, completions: 1 },
      { completions: 2 },
      ['spec.completions: Invalid value: 2: field is immutable'],
    ],
    [
      'batch/v1',
      'Job',
      { ...job, completions: 1, parallelism: 1, completionMode: 'Indexed' },
      { completions: 3 },
      ['spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism'],
    ],
    [
      'batch/v1',
      'Job',
      { ...job, completions: 1, parallelism: 1, completionMode: 'Indexed' },
      { completions: 3, parallelism: 3 },
      [],
    ],
    ['batch/v1', 'Job', { ...job, completions: 1, parallelism: 1 }, { parallelism: 5, suspend: true }, []],
    ['v1', 'PersistentVolumeClaim', claim, { resources: { requests: { storage: '2Gi' } } }, []],
    ['v1', 'PersistentVolumeClaim', claim, { volumeName: 'v' }, []],
    ['v1', 'PersistentVolumeClaim', { ...claim, volumeName: 'v' }, { volumeName: 'w' }, [CLAIM]],
    ['v1', 'PersistentVolumeClaim', claim, { accessModes: ['ReadOnlyMany'] }, [CLAIM]],
    ['v1', 'PersistentVolumeClaim', claim, { storageClassName: 'fast' }, [CLAIM]],
    [
      'v1',
      'Service',
      service,
      { clusterIP: '10.96.0.10' },
      ['spec.clusterIPs[0]: Invalid value: ["10.96.0.10"]: may not change once set'],
    ],
    [
      'v1',
      'Service',
      { ...service, type: 'LoadBalancer', loadBalancerClass: 'a/b' },
      { loadBalancerClass: 'a/c' },
      ['spec.loadBalancerClass: Invalid value: "a/c": may not change once set'],
    ],
    [
      'v1',
      'Service',
      { ...service, type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30001 },
      { healthCheckNodePort: 30002 },
      ['spec.healthCheckNodePort: Forbidden: field is immutable'],
    ],
    [
      'v1',
      'ResourceQuota',
      { hard: { pods: '1' } },
      { scopes: ['BestEffort'] },
      ['spec.scopes: Invalid value: ["BestEffort"]: field is immutable'],
    ],
    ...['Deployment', 'ReplicaSet', 'DaemonSet'].map((kind): [string, string, JsonObject, JsonObject, string[]] => [
      'apps/v1',
      kind,
      { ...selecting, template: { ...template, metadata: { labels: { ...labels, a: 'b' } } } },
      { selector: { matchLabels: { a: 'b' } } },
      ['spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable'],
    ]),
    [
      'apps/v1',
      'StatefulSet',
      { ...selecting, serviceName: 'a' },
      { serviceName: 'b' },
      [
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ],
    ],
  ])('%s %s %j to %j', (apiVersion, kind, before, change, texts) => {
    expect(updateTexts(apiVersion, kind, { spec: before }, { spec: { ...before, ...change } })).toEqual(texts);
  });
});

describe('what Jobs do when their pods fail', () => {
  const policy = (rule: JsonObject, more: JsonObject = {}) => ({
    spec: { ...job, podFailurePolicy: { rules: [rule] }, ...more },
  });
  const codes = { operator: 'In', values: [1] };
  const at = 'spec.podFailurePolicy.rules[0]';
  test.each<[JsonObject, string[]]>([
    [policy({ action: 'FailJob', onExitCodes: codes }), []],
    [policy({ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }), []],
    [
      policy({ action: 'Wait', onExitCodes: codes }),
      [`${at}.action: Unsupported value: "Wait": supported values: "Count", "FailIndex", "FailJob", "Ignore"`],
    ],
    [
      policy({ action: 'FailIndex', onExitCodes: codes }),
      [`${at}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set`],
    ],
    [
      policy({ action: 'Count' }),
      [`${at}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required`],
    ],
    [
      policy({ action: 'Count', onExitCodes: { operator: 'In', values: [2, 0, 2], containerName: 'd' } }),
      [
        `${at}.onExitCodes.containerName: Invalid value: "d": must be one of the container or initContainer names in the pod template`,
        `${at}.onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator`,
        `${at}.onExitCodes.values[2]: Duplicate value: 2`,
        `${at}.onExitCodes.values: Invalid value: [2,0,2]: must be ordered`,
      ],
    ],
    [
      policy(
        { action: 'Count', onExitCodes: codes },
        {
          template: { spec: { containers: [container], restartPolicy: 'OnFailure' } },
        },
      ),
      [
        'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
      ],
    ],
    [
      { spec: { ...job, backoffLimitPerIndex: 1 } },
      ['spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode'],
    ],
    [
      { spec: { ...job, completionMode: 'Indexed', completions: 2, maxFailedIndexes: 3 } },
      [
        'spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified',
        'spec.maxFailedIndexes: Invalid value: 3: must be less than or equal to completions',
      ],
    ],
  ])('%j', (fields, texts) => {
    expect(errorTexts('batch/v1', 'Job', fields)).toEqual(texts);
  });
});

describe('volumes', () => {
  const hostPath = { path: '/data' };
  const volume = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath };
  test.each<[JsonObject, string[]]>([
    [volume, []],
    [{ ...volume, accessModes: [] }, ['spec.accessModes: Required value']],
    [{ ...volume, hostPath: null }, ['spec: Required value: must specify a volume type']],
    [
      { ...volume, capacity: { storage: '0' } },
      ['spec.capacity[storage]: Invalid value: "0": must be greater than zero'],
    ],
    [{ ...volume, nfs: { path: '/', server: 'a' } }, ['spec.nfs: Forbidden: may not specify more than 1 volume type']],
    [
      { ...volume, hostPath: null, local: { path: '/d' } },
      ['spec.nodeAffinity: Required value: Local volume requires node affinity'],
    ],
    [
      { ...volume, accessModes: ['ReadWriteOnce', 'ReadWriteOncePod'] },
      ['spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes'],
    ],
  ])('%j', (spec, texts) => {
    expect(errorTexts('v1', 'PersistentVolume', { spec })).toEqual(texts);
  });

  test('are made of what they were made of', () => {
    expect(
      updateTexts('v1', 'PersistentVolume', { spec: volume }, { spec: { ...volume, hostPath: { path: '/x' } } }),
    ).toEqual(['spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation']);
    expect(
      updateTexts('v1', 'PersistentVolume', { spec: volume }, { spec: { ...volume, mountOptions: ['ro'] } }),
    ).toEqual([]);
  });
});

describe('nodes', () => {
  const spec = { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'], providerID: 'a' };
  test.each<[JsonObject, string[]]>([
    [{ ...spec, unschedulable: true, taints: [{ key: 'a', effect: 'NoSchedule' }] }, []],
    [
      { ...spec, podCIDR: '10.244.2.0/24', podCIDRs: ['10.244.2.0/24'] },
      ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'],
    ],
    [
      { ...spec, providerID: 'b' },
      ['spec.providerID: Forbidden: node updates may not change providerID except from "" to valid'],
    ],
    [{ ...spec, externalID: 'b' }, [': Forbidden: node updates may only change labels, taints, or capacity']],
  ])('%j', (after, texts) => {
    expect(updateTexts('v1', 'Node', { spec }, { spec: after })).toEqual(texts);
  });
});

test('hosts of an Ingress have names', () => {
  const spec = {
    defaultBackend: { service: { name: 'a', port: { number: 80 } } },
    tls: [{ hosts: ['a.example', '*.example', 'A_b', '*.*.x'] }],
  };
  expect(
    errorTexts('networking.k8s.io/v1', 'Ingress', { spec }).map((text) => text.split(': ').slice(0, 3).join(': ')),
  ).toEqual(['spec.tls[0].hosts[2]: Invalid value: "A_b"', 'spec.tls[0].hosts[3]: Invalid value: "*.*.x"']);
});

test('names fit into a subject of the store', () => {
  const texts = (name: string) => errorTexts('rbac.authorization.k8s.io/v1', 'Role', { metadata: { name } });
  expect(texts('system:a b')).toEqual([]);
  expect(texts('x'.repeat(1024))).toEqual([]);
  expect(texts('x'.repeat(1025))).toEqual([
    `metadata.name: Invalid value: "${'x'.repeat(1025)}": must be no more than 1024 bytes`,
  ]);
  expect(errorTexts('v1', 'Pod', { spec: { nodeName: 'A B', containers: [container] } })[0]).toMatch(
    /^spec\.nodeName: Invalid value: "A B": a lowercase RFC 1123 subdomain must/,
  );
});
