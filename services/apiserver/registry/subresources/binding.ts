/** `pods/binding`: the scheduler's decision. A pod is bound once. */
import { dns1123SubdomainErrors } from '../../../../shared/api/name-format.ts';
import { fieldAt, isJsonObject, type KubeObject } from '../../../../shared/api/object.ts';
import { PODS } from '../../../../shared/api/resources.ts';
import { badRequest, conflict, invalid } from '../../../../shared/api/status.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import type { ApiAnswer, ApiCall } from '../api-call.ts';
import type { RegistryContext } from '../registry-context.ts';
import { writeOptions } from '../request-options.ts';
import { SUCCESS } from './success.ts';

/** POST to `pods/NAME/binding`, and to the older `bindings`, where the pod's name is the binding's. */
export async function bind(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const { dryRun } = writeOptions(call.query);
  const body = call.body?.value;
  const name = call.name ?? fieldAt(body, 'metadata', 'name');
  if (typeof name !== 'string' || name === '') throw badRequest('metadata.name of the binding names no pod');
  const node = targetNode(body, name);
  const nowMs = context.clock.nowMs();
  await context.storage.update(PODS, name, call.namespace, (pod) => {
    checkBindable(pod, name, fieldAt(body, 'metadata', 'uid'));
    return dryRun ? { kind: 'unchanged' } : { kind: 'write', object: boundPod(pod, node, body, nowMs) };
  });
  return { kind: 'status', code: 201, status: { ...SUCCESS, code: 201 } };
}

function targetNode(binding: unknown, name: string): string {
  const kind = fieldAt(binding, 'target', 'kind');
  const node = fieldAt(binding, 'target', 'name');
  const error = (field: string, message: string, reason: string) =>
    invalid({ group: '', kind: 'Binding' }, name, [{ field, message, reason }]);
  if (kind !== undefined && kind !== '' && kind !== 'Node') {
    const detail = `Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`;
    throw error('target.kind', detail, 'FieldValueNotSupported');
  }
  if (typeof node !== 'string' || node === '') throw error('target.name', 'Required value', 'FieldValueRequired');
  const [problem] = dns1123SubdomainErrors(node);
  if (problem !== undefined) {
    throw error('target.name', `Invalid value: ${JSON.stringify(node)}: ${problem}`, 'FieldValueInvalid');
  }
  return node;
}

function checkBindable(pod: KubeObject, name: string, uid: unknown): void {
  const binding = { group: '', resource: 'pods/binding' };
  if (typeof uid === 'string' && uid !== '' && uid !== pod.metadata.uid) {
    throw conflict(binding, name, `the pod's uid is ${pod.metadata.uid}, not ${uid}`);
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(binding, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const node = fieldAt(pod, 'spec', 'nodeName');
  if (typeof node === 'string' && node !== '') {
    throw conflict(binding, name, `pod ${name} is already assigned to node "${node}"`);
  }
  const gates = fieldAt(pod, 'spec', 'schedulingGates');
  if (Array.isArray(gates) && gates.length > 0) {
    throw conflict(binding, name, `pod ${name} has non-empty .spec.schedulingGates`);
  }
}

function boundPod(pod: KubeObject, node: string, binding: unknown, nowMs: number): KubeObject {
  const annotations = fieldAt(binding, 'metadata', 'annotations');
  // Where room was made for it is of no interest once it is somewhere.
  const { nominatedNodeName: _, ...status } = isJsonObject(pod.status) ? pod.status : {};
  const conditions = Array.isArray(status.conditions) ? status.conditions : [];
  const scheduled = {
    type: 'PodScheduled',
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: formatTimestamp(nowMs),
  };
  return {
    ...pod,
    metadata: isJsonObject(annotations)
      ? // The bus and the decoder of bodies let only texts through here.
        { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...(annotations as Record<string, string>) } }
      : pod.metadata,
    spec: { ...(isJsonObject(pod.spec) ? pod.spec : {}), nodeName: node },
    status: {
      ...status,
      conditions: [...conditions.filter((condition) => fieldAt(condition, 'type') !== 'PodScheduled'), scheduled],
    },
  };
}
