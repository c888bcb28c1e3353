/** Filters that look at one node alone: its name, taints, labels, ports and resources. */
import { matchesRequiredNodeAffinity } from '../../../shared/api/node-affinity.ts';
import { TAINT_UNSCHEDULABLE, tolerates, untoleratedTaint } from '../../../shared/api/toleration.ts';
import { type HostPort, hostPortsOf } from '../node-info.ts';
import { FITS, type Filter, never, notNow, type Refusal } from './filter.ts';

export const nodeUnschedulable: Filter = ({ pod }) => {
  const taint = { key: TAINT_UNSCHEDULABLE, effect: 'NoSchedule' };
  const tolerated = pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint)) ?? false;
  return ({ node }) => (node.spec.unschedulable && !tolerated ? never('node(s) were unschedulable') : FITS);
};

export const nodeName: Filter = ({ pod }) => {
  const wanted = pod.spec.nodeName ?? '';
  return ({ node }) =>
    wanted === '' || wanted === node.metadata.name ? FITS : never("node(s) didn't match the requested node name");
};

export const taintToleration: Filter =
  ({ pod }) =>
  ({ node }) => {
    const taint = untoleratedTaint(node.spec.taints, pod.spec.tolerations, ['NoSchedule', 'NoExecute']);
    return taint === undefined ? FITS : never(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`);
  };

export const nodeAffinity: Filter =
  ({ pod }) =>
  ({ node }) =>
    matchesRequiredNodeAffinity(pod.spec, node) ? FITS : never("node(s) didn't match Pod's node affinity/selector");

export const nodePorts: Filter = ({ pod }) => {
  const wanted = hostPortsOf(pod);
  return ({ pods }) => {
    if (wanted.length === 0) return FITS;
    for (const { hostPorts } of pods.values()) {
      if (hostPorts.some((taken) => wanted.some((port) => portsCollide(port, taken)))) {
        return notNow("node(s) didn't have free ports for the requested pod ports");
      }
    }
    return FITS;
  };
};

function portsCollide(a: HostPort, b: HostPort): boolean {
  const sameAddress = a.address === b.address || a.address === '0.0.0.0' || b.address === '0.0.0.0';
  return sameAddress && a.port === b.port && a.protocol === b.protocol;
}

const DEFAULT_MAX_PODS = 110;

export const nodeResources: Filter =
  ({ request }) =>
  ({ allocatable, requested, pods }) => {
    const refusals: Refusal[] = [];
    if (pods.size + 1 > (allocatable.pods ?? DEFAULT_MAX_PODS))
      refusals.push({ reason: 'Too many pods', preemptable: true });
    for (const [name, amount] of Object.entries(request)) {
      if (amount === 0) continue;
      const total = allocatable[name] ?? 0;
      if (amount + (requested[name] ?? 0) <= total) continue;
      refusals.push({ reason: `Insufficient ${name}`, preemptable: amount <= total });
    }
    return refusals;
  };
