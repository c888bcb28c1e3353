/**
 * What a pod may learn of itself: `fieldRef` and `resourceFieldRef` of environment variables and volumes.
 * https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
 */
import type { Container, ObjectFieldSelector, Pod, ResourceFieldSelector } from 'kubernetes-types/core/v1.d.ts';
import { parseQuantity } from '../../shared/api/quantity.ts';

/** Values that only the node knows, at the time the container starts. */
export interface NodeFacts {
  readonly podIp: string;
  readonly podIpv6?: string;
  readonly hostIp: string;
  readonly hostIpv6?: string;
  readonly nodeName: string;
  /** The node's allocatable amounts, which stand in for missing limits. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** A reference to a field that does not exist, or that the place of use does not allow. */
export class DownwardApiError extends Error {
  override readonly name = 'DownwardApiError';
}

export function fieldRefValue(selector: ObjectFieldSelector, pod: Pod, facts: NodeFacts): string {
  const path = selector.fieldPath;
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed !== null) return pod.metadata?.[keyed[1] as 'labels' | 'annotations']?.[keyed[2]!] ?? '';
  switch (path) {
    case 'metadata.name':
      return pod.metadata?.name ?? '';
    case 'metadata.namespace':
      return pod.metadata?.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata?.uid ?? '';
    case 'metadata.labels':
      return keyValueLines(pod.metadata?.labels);
    case 'metadata.annotations':
      return keyValueLines(pod.metadata?.annotations);
    case 'spec.nodeName':
      return facts.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? 'default';
    case 'status.podIP':
      return facts.podIp;
    case 'status.podIPs':
      return joined(facts.podIp, facts.podIpv6);
    case 'status.hostIP':
      return facts.hostIp;
    case 'status.hostIPs':
      return joined(facts.hostIp, facts.hostIpv6);
    default:
      throw new DownwardApiError(`unsupported fieldPath: ${path}`);
  }
}

function joined(ipv4: string, ipv6: string | undefined): string {
  return ipv6 === undefined ? ipv4 : `${ipv4},${ipv6}`;
}

/** `limits.cpu`, `requests.memory`, ... divided by the divisor, rounded up. */
export function resourceFieldValue(
  selector: ResourceFieldSelector,
  containers: readonly Container[],
  ownContainer: Container | undefined,
  facts: NodeFacts,
): string {
  const container =
    selector.containerName === undefined
      ? ownContainer
      : containers.find((candidate) => candidate.name === selector.containerName);
  if (container === undefined) throw new DownwardApiError(`container ${selector.containerName ?? ''} not found`);
  const [kind, name] = splitResource(selector.resource);
  const limit = container.resources?.limits?.[name] ?? facts.allocatable[name] ?? '0';
  const amount = kind === 'limits' ? limit : (container.resources?.requests?.[name] ?? '0');
  const value = divideUp(amount, selector.divisor ?? '1');
  if (value === undefined) {
    throw new DownwardApiError(`${selector.resource}: cannot divide ${amount} by ${selector.divisor}`);
  }
  return value;
}

/** Undefined when either is no quantity; a divisor of 0 means 1. */
function divideUp(amount: string, divisor: string): string | undefined {
  const dividend = parseQuantity(amount)?.nano;
  const by = parseQuantity(divisor === '0' ? '1' : divisor)?.nano;
  if (dividend === undefined || by === undefined || by <= 0n) return undefined;
  return ((dividend + by - 1n) / by).toString();
}

function splitResource(resource: string): [string, string] {
  const dot = resource.indexOf('.');
  const kind = resource.slice(0, dot);
  if (kind !== 'limits' && kind !== 'requests')
    throw new DownwardApiError(`unsupported container resource : ${resource}`);
  return [kind, resource.slice(dot + 1)];
}

/** `key="value"` lines sorted by key, values quoted as Go's %q does for plain text. */
function keyValueLines(values: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(values ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}
