/**
 * metrics.k8s.io: what nodes and pods use, asked of the nodes at once and kept nowhere (Kubernetes documentation, "Resource metrics
 * pipeline"). What a pod's annotations say it uses, as autoscalers believe it, goes before what was measured.
 */
import { fieldAt, type KubeObject } from '../../../../shared/api/object.ts';
import { parseQuantity, quantityMilli, quantityValue } from '../../../../shared/api/quantity.ts';
import { findResource } from '../../../../shared/api/registry.ts';
import type { ResourceRef } from '../../../../shared/api/resource.ts';
import { NODEMETRICS, NODES, PODMETRICS, PODS } from '../../../../shared/api/resources.ts';
import { notFound } from '../../../../shared/api/status.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import type { Bus } from '../../../../shared/bus/connection.ts';
import { NODE_USAGE, type NodeUsage, type Usage } from '../../../../shared/bus/node-usage.ts';
import type { ApiAnswer, ApiCall } from '../api-call.ts';
import { selectObjects } from '../list.ts';
import type { RegistryContext } from '../registry-context.ts';
import type { SubresourceHandler } from './handlers.ts';

export interface MetricsHandlers {
  readonly node: SubresourceHandler;
  readonly nodes: SubresourceHandler;
  readonly pod: SubresourceHandler;
  readonly pods: SubresourceHandler;
}

/** A node that does not answer within this has no metrics, as one that the original cannot scrape. */
const NODE_ANSWER_LIMIT_MS = 3000;

export function metricsHandlers(bus: Bus): MetricsHandlers {
  const usages = (nodes: Iterable<string>): Promise<Map<string, NodeUsage>> => usageOfNodes(bus, [...new Set(nodes)]);

  const nodeMetrics = async (context: RegistryContext, call: ApiCall): Promise<KubeObject[]> => {
    const nodes = objectsOf(NODES, context, call);
    const byNode = await usages(nodes.map(({ metadata }) => metadata.name ?? ''));
    return nodes.flatMap((node) => {
      const usage = byNode.get(node.metadata.name ?? '');
      return usage === undefined ? [] : [metricsOf(NODEMETRICS, node, usage, { usage: quantities(usage.node) })];
    });
  };

  const podMetrics = async (context: RegistryContext, call: ApiCall): Promise<KubeObject[]> => {
    const pods = objectsOf(PODS, context, call).filter((pod) => fieldAt(pod, 'status', 'phase') === 'Running');
    const byNode = await usages(pods.map(nodeOf));
    return pods.flatMap((pod) => {
      const usage = byNode.get(nodeOf(pod));
      const containers = usage === undefined ? [] : containersOf(pod, usage);
      return usage === undefined || containers.length === 0 ? [] : [metricsOf(PODMETRICS, pod, usage, { containers })];
    });
  };

  return {
    nodes: async (context, call) => listOf(await nodeMetrics(context, call)),
    pods: async (context, call) => listOf(await podMetrics(context, call)),
    node: async (context, call) => only(await nodeMetrics(context, call), call, call.name ?? ''),
    pod: async (context, call) => only(await podMetrics(context, call), call, `${call.namespace}/${call.name}`),
  };
}

async function usageOfNodes(bus: Bus, nodes: readonly string[]): Promise<Map<string, NodeUsage>> {
  const answers = await Promise.allSettled(
    nodes.map((node) => bus.request(NODE_USAGE, { node }, {}, { timeoutMs: NODE_ANSWER_LIMIT_MS })),
  );
  const usages = new Map<string, NodeUsage>();
  for (const [index, answer] of answers.entries()) {
    if (answer.status === 'fulfilled') usages.set(nodes[index] as string, answer.value);
  }
  return usages;
}

/** The objects that the call for their metrics means. */
function objectsOf(resource: ResourceRef, context: RegistryContext, call: ApiCall): KubeObject[] {
  const definition = findResource(resource.group, resource.version, resource.resource);
  if (definition === undefined) throw new Error(`${resource.resource} is not in the registry`);
  return selectObjects(context, { ...call, definition }).map(({ object }) => object);
}

function nodeOf(pod: KubeObject): string {
  const name = fieldAt(pod, 'spec', 'nodeName');
  return typeof name === 'string' ? name : '';
}

function containersOf(pod: KubeObject, { containers }: NodeUsage): object[] {
  const { name, namespace, annotations = {} } = pod.metadata;
  const own = containers.filter((usage) => usage.namespace === namespace && usage.pod === name);
  const cpu = parseQuantity(String(annotations['podwire.dev/cpu'] ?? ''));
  const memory = parseQuantity(String(annotations['podwire.dev/memory'] ?? ''));
  return own.map(({ container, cpuNanoCores, memoryBytes }) => ({
    name: container,
    usage: quantities({
      cpuNanoCores: cpu === undefined ? cpuNanoCores : Math.round((quantityMilli(cpu) * 1e6) / own.length),
      memoryBytes: memory === undefined ? memoryBytes : Math.round(quantityValue(memory) / own.length),
    }),
  }));
}

function quantities({ cpuNanoCores, memoryBytes }: Usage): { readonly cpu: string; readonly memory: string } {
  return { cpu: `${cpuNanoCores}n`, memory: `${Math.round(memoryBytes / 1024)}Ki` };
}

function metricsOf(
  { group, version, kind }: ResourceRef,
  { metadata }: KubeObject,
  { atMs, windowMs }: NodeUsage,
  what: object,
): KubeObject {
  const { name, namespace, labels } = metadata;
  const timestamp = formatTimestamp(atMs);
  return {
    apiVersion: `${group}/${version}`,
    kind,
    metadata: { name, namespace, labels, creationTimestamp: timestamp },
    timestamp,
    window: `${(windowMs / 1000).toFixed(3)}s`,
    ...what,
  };
}

function listOf(items: readonly KubeObject[]): ApiAnswer {
  return { kind: 'list', code: 200, list: { items, resourceVersion: '' } };
}

function only([object]: readonly KubeObject[], { definition }: ApiCall, name: string): ApiAnswer {
  if (object === undefined) throw notFound(definition, name);
  return { kind: 'object', code: 200, object };
}
