/** Which links a command means: pairs of nodes, a pod, a device of a node; and which nodes have to be told. */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { PODS } from '../../shared/api/resources.ts';
import { isApiError } from '../../shared/api/status.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { FAULT_DIRECTIONS, type FaultDirection, type FaultTarget } from '../../shared/rules/link-fault.ts';
import { UserError } from '../user-error.ts';

export const DIRECTIONS = ['both', ...FAULT_DIRECTIONS] as const;

export interface SelectionOptions {
  readonly direction: (typeof DIRECTIONS)[number];
  /** `namespace/name` or `name`. */
  readonly pod?: string;
  readonly node?: string;
  readonly device?: string;
}

/** By node: the directions of links that it sends into. */
export type Selection = ReadonlyMap<string, readonly FaultTarget[]>;

const WILDCARDS: readonly string[] = ['*', 'all'];
const HOW = 'name two nodes (worker-1 worker-2, or worker-1 all), --pod NAMESPACE/POD, or --node N --device D';

/** `ends` are the arguments: none, or two ends of one or more node names, separated by commas. Throws UserError. */
export async function selectLinks(
  bus: Bus,
  nodes: readonly string[],
  ends: readonly string[],
  options: SelectionOptions,
): Promise<Selection> {
  const { pod, node, device, direction } = options;
  const forms = [ends.length > 0, pod !== undefined, node !== undefined || device !== undefined];
  const directions = direction === 'both' ? FAULT_DIRECTIONS : [direction];
  if (forms.filter(Boolean).length !== 1) throw new UserError(`which link? ${HOW}`);
  if (pod !== undefined) return podSelection(bus, pod, directions);
  if (ends.length > 0) return pairSelection(nodes, ends, directions);
  if (node === undefined || device === undefined) throw new UserError('--node and --device go together: say both');
  if (!nodes.includes(node)) throw unknownNode(node, nodes);
  return new Map([[node, directions.map((each) => ({ kind: 'device' as const, device, direction: each }))]]);
}

function pairSelection(
  nodes: readonly string[],
  ends: readonly string[],
  directions: readonly FaultDirection[],
): Selection {
  const [first, second] = ends;
  if (first === undefined || second === undefined || ends.length > 2) {
    throw new UserError(`a link has two ends, not ${ends.length}: podwire link set worker-1 worker-2, or worker-1 all`);
  }
  const targets = new Map<string, Map<string, FaultTarget>>();
  const add = (from: string, to: string): void => {
    const ofSender = targets.get(from) ?? new Map<string, FaultTarget>();
    targets.set(from, ofSender.set(to, { kind: 'peer', node: to }));
  };
  for (const a of namedNodes(first, nodes)) {
    for (const b of namedNodes(second, nodes)) {
      if (a === b) continue;
      if (directions.includes('to')) add(a, b);
      if (directions.includes('from')) add(b, a);
    }
  }
  if (targets.size === 0) throw new UserError(`there is no link between '${first}' and '${second}': name two nodes`);
  return new Map([...targets].map(([node, ofSender]) => [node, [...ofSender.values()]]));
}

function namedNodes(end: string, nodes: readonly string[]): readonly string[] {
  if (WILDCARDS.includes(end)) return nodes;
  const names = end.split(',');
  const unknown = names.find((name) => !nodes.includes(name));
  if (unknown !== undefined) throw unknownNode(unknown, nodes);
  return names;
}

async function podSelection(bus: Bus, text: string, directions: readonly FaultDirection[]): Promise<Selection> {
  const [first = '', second, ...rest] = text.split('/');
  const [namespace, name] = second === undefined ? ['default', first] : [first, second];
  if (namespace === '' || name === '' || rest.length > 0) {
    throw new UserError(`--pod ${text}: expected NAMESPACE/POD, as in shop/web-0, or POD in the namespace default`);
  }
  const pod = await findPod(bus, namespace, name);
  const node = pod.spec?.nodeName;
  if (node === undefined)
    throw new UserError(`pod ${namespace}/${name} is on no node yet: kubectl describe pod ${name}`);
  if (pod.spec?.hostNetwork === true) {
    throw new UserError(
      `pod ${namespace}/${name} shares its node's network: set the fault on the node, --node ${node} --device eth0`,
    );
  }
  return new Map([[node, directions.map((direction) => ({ kind: 'pod' as const, namespace, pod: name, direction }))]]);
}

async function findPod(bus: Bus, namespace: string, name: string): Promise<Pod> {
  const { createApiClient } = await import('../../shared/bus/api-client.ts');
  try {
    return await createApiClient(bus, { user: 'podwire-cli' }).get<Pod>(PODS, name, namespace);
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
    throw new UserError(`there is no pod ${namespace}/${name}: kubectl get pods -A -o wide shows those there are`);
  }
}

function unknownNode(node: string, nodes: readonly string[]): UserError {
  return new UserError(`there is no node '${node}': the nodes are ${nodes.join(', ')}`);
}
