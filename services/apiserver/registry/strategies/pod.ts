/**
 * Pods: what admission adds (limits, service account, tolerations, priority), the first status, and their slow death
 * (Kubernetes "Configure Service Accounts for Pods", "Taints and Tolerations", "Pod Priority", "Pod Lifecycle").
 */
import type { Container, Pod, PodSpec, Toleration, Volume } from 'kubernetes-types/core/v1.js';
import { fieldAt, type KubeObject } from '../../../../shared/api/object.ts';
import { PODS, PRIORITYCLASSES, RUNTIMECLASSES, SERVICEACCOUNTS } from '../../../../shared/api/resources.ts';
import { forbidden } from '../../../../shared/api/status.ts';
import { nameSuffix, type Random } from '../../../../shared/runtime/random.ts';
import type { ObjectStorage } from '../../storage/object-storage.ts';
import { applyLimitRanges } from '../admission/limit-ranges.ts';
import type { Strategy } from '../strategy.ts';
import { qosClass } from './qos-class.ts';

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const TOKEN_SECONDS = 3607;
const FILE_MODE = 0o644;
const EVICTING_TAINTS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const DEFAULT_GRACE_SECONDS = 30;
/** The controller that makes a namespace's first service account may be late on a busy machine. Less than clients on the bus wait. */
const ACCOUNT_TIMEOUT_MS = 4000;

export interface PodAdmission {
  readonly storage: ObjectStorage;
  readonly random: Random;
  /** How long pods stay on a node that is not ready or not reachable. */
  readonly evictionAfterMs: number;
}

export function podStrategy(admission: PodAdmission): Strategy {
  return {
    async create(object) {
      const pod = asPod(object);
      applyLimitRanges(admission.storage, pod, object.metadata.namespace);
      await admitServiceAccount(admission, object, pod.spec);
      addTolerations(pod.spec, Math.ceil(admission.evictionAfterMs / 1000));
      admitPriority(admission, object, pod.spec);
      admitRuntimeClass(admission, object, pod.spec);
      object.status = { phase: 'Pending', qosClass: qosClass(pod.spec) };
      return undefined;
    },

    gracePeriodSeconds(object, { gracePeriodSeconds }) {
      const { spec } = asPod(object);
      const phase = fieldAt(object, 'status', 'phase');
      // Nobody runs it, or it has ended already.
      if (!spec.nodeName || phase === 'Succeeded' || phase === 'Failed') return 0;
      return gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    },

    returnsDeleted: true,
  };
}

function asPod(object: KubeObject): Pod & { spec: PodSpec } {
  // The decoder has checked the object against the Pod type.
  const pod = object as unknown as Pod;
  pod.spec ??= { containers: [] };
  return pod as Pod & { spec: PodSpec };
}

async function admitServiceAccount(
  { storage, random }: PodAdmission,
  object: KubeObject,
  spec: PodSpec,
): Promise<void> {
  spec.serviceAccountName ||= 'default';
  spec.serviceAccount = spec.serviceAccountName;
  const account = await serviceAccount(storage, object, spec.serviceAccountName);
  const automount = spec.automountServiceAccountToken ?? fieldAt(account, 'automountServiceAccountToken') ?? true;
  if (automount !== true) return;
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const unmounted = containers.filter(
    (container) => !(container.volumeMounts ?? []).some((mount) => mount.mountPath === TOKEN_PATH),
  );
  if (unmounted.length === 0) return;
  const present = (spec.volumes ?? []).find((volume) => volume.name?.startsWith('kube-api-access-'));
  const name = present?.name ?? `kube-api-access-${nameSuffix(random)}`;
  if (present === undefined) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
  for (const container of unmounted) mountToken(container, name);
}

async function serviceAccount(storage: ObjectStorage, object: KubeObject, name: string): Promise<KubeObject> {
  const { namespace = '' } = object.metadata;
  const key = `${namespace}/${name}`;
  const accounts = storage.of(SERVICEACCOUNTS);
  if (accounts.get(key) === undefined && name === 'default') {
    await accounts.waitForKey(key, accounts.lastRevision(key), ACCOUNT_TIMEOUT_MS);
  }
  const account = accounts.get(key)?.object;
  if (account !== undefined) return account;
  throw forbidden(
    PODS,
    object.metadata.name ?? '',
    `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
  );
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      defaultMode: FILE_MODE,
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    },
  };
}

function mountToken(container: Container, name: string): void {
  container.volumeMounts = [...(container.volumeMounts ?? []), { name, mountPath: TOKEN_PATH, readOnly: true }];
}

function addTolerations(spec: PodSpec, tolerationSeconds: number): void {
  const present = spec.tolerations ?? [];
  const missing = EVICTING_TAINTS.filter((key) => !present.some((toleration) => toleratesEviction(toleration, key)));
  if (missing.length === 0) return;
  spec.tolerations = [
    ...present,
    ...missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds })),
  ];
}

function toleratesEviction({ key, effect }: Toleration, taint: string): boolean {
  return (!key || key === taint) && (!effect || effect === 'NoExecute');
}

const PREEMPT_LOWER = 'PreemptLowerPriority';
/** Classes that every cluster has. */
const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

function admitRuntimeClass({ storage }: PodAdmission, object: KubeObject, { runtimeClassName }: PodSpec): void {
  if (!runtimeClassName || storage.get(RUNTIMECLASSES, runtimeClassName) !== undefined) return;
  const problem = `pod rejected: RuntimeClass ${JSON.stringify(runtimeClassName)} not found`;
  throw forbidden(PODS, object.metadata.name ?? '', problem);
}

function admitPriority({ storage }: PodAdmission, object: KubeObject, spec: PodSpec): void {
  if (!spec.priorityClassName) {
    const byDefault = [...storage.of(PRIORITYCLASSES).values()].find((entry) => entry.object.globalDefault === true);
    if (byDefault !== undefined) spec.priorityClassName = byDefault.object.metadata.name;
  }
  const { priority, policy } = spec.priorityClassName
    ? ofClass(storage, object, spec.priorityClassName)
    : { priority: 0, policy: PREEMPT_LOWER };
  const reject = (what: string, value: unknown, computed: unknown) =>
    forbidden(
      PODS,
      object.metadata.name ?? '',
      `${what} (${value}) must not be provided in pod spec; priority admission controller computed ${computed} from the given PriorityClass name`,
    );
  if (spec.priority !== undefined && spec.priority !== priority) {
    throw reject('the integer value of priority', spec.priority, priority);
  }
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
    throw reject('the string value of PreemptionPolicy', spec.preemptionPolicy, policy);
  }
  spec.priority = priority;
  spec.preemptionPolicy = policy;
}

interface PodPriority {
  readonly priority: number;
  readonly policy: string;
}

function ofClass(storage: ObjectStorage, object: KubeObject, name: string): PodPriority {
  const stored = storage.get(PRIORITYCLASSES, name);
  const priority = SYSTEM_PRIORITIES[name] ?? fieldAt(stored, 'value');
  if (typeof priority !== 'number') {
    throw forbidden(PODS, object.metadata.name ?? '', `no PriorityClass with name ${name} was found`);
  }
  const policy = fieldAt(stored, 'preemptionPolicy');
  return { priority, policy: typeof policy === 'string' ? policy : PREEMPT_LOWER };
}
