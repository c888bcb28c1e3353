/** The labels that make an identity: pods with the same ones share it. */
import { NAMESPACE_LABEL, NAMESPACE_LABELS } from '../../../shared/policy/cilium-policy.ts';
import type { PolicyPod } from '../../../shared/policy/policy-pod.ts';

/** `k8s:app=web` and its kin, sorted; those of the pod's namespace among them. */
export function securityLabels(
  { labels, namespace }: PolicyPod,
  namespaceLabels: Readonly<Record<string, string>>,
): Record<string, string> {
  const ofNamespace = Object.entries(namespaceLabels).map(
    ([key, value]) => [`${NAMESPACE_LABELS}${key}`, value] as const,
  );
  const all = [
    ...Object.entries(labels),
    ...ofNamespace,
    ['io.cilium.k8s.policy.cluster', 'default'] as const,
    [NAMESPACE_LABEL, namespace] as const,
  ];
  return Object.fromEntries(
    all.map(([key, value]) => [`k8s:${key}`, value] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** `k8s:app=web` lines. */
export function labelLines(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).map(([key, value]) => (value === '' ? key : `${key}=${value}`));
}

/** One text for one set of labels. */
export function labelsKey(labels: Readonly<Record<string, string>>): string {
  return labelLines(labels).sort().join(';');
}
