/** What no object of the API says and nodes do: faults of links between them, and at which ports programs listen. */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Bus } from '../../shared/bus/connection.ts';
import type { LinkFault } from '../../shared/rules/link-fault.ts';
import { askNodes } from '../link/node-faults.ts';
import { startOnNode } from '../pod-exec.ts';
import type { ProbeOutcome } from './packet-probes.ts';

export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  /** `*` for every one. */
  readonly address: string;
  readonly port: number;
}

/** By which a node would send. */
export interface NodeRoute {
  /** Of the node, which it is sent from where the node itself sends. */
  readonly source: string;
  readonly device: string;
  /** It is the default route, which leads away from the pods. */
  readonly isDefault: boolean;
}

export interface LiveFacts {
  readonly faults: readonly LinkFault[];
  /** By uid; pods of which nothing is known are left out. */
  readonly listeners: ReadonlyMap<string, readonly Listener[]>;
  /** By node and destination (`routeKey`); null where there is none. */
  readonly routes: ReadonlyMap<string, NodeRoute | null>;
  /** Nodes whose process has ended, whatever the API has heard of it. */
  readonly stopped: ReadonlySet<string>;
  /** What became of test packets, by `probeKey`. */
  readonly probes: ReadonlyMap<string, ProbeOutcome>;
}

export const NO_FACTS: LiveFacts = {
  faults: [],
  listeners: new Map(),
  routes: new Map(),
  stopped: new Set(),
  probes: new Map(),
};

export interface ClusterNodes {
  /** Those that are down too. */
  readonly nodes: readonly string[];
  readonly running: readonly string[];
}

/** Of a connection that might be made. */
export interface Ends {
  readonly client: Pod;
  readonly server: Pod;
  readonly serverAddress: string;
}

export function routeKey(nodeName: string | undefined, address: string): string {
  return `${nodeName} ${address}`;
}

/** Of the nodes that run; no packet is sent yet. */
export async function readLiveFacts(
  bus: Bus,
  { nodes, running }: ClusterNodes,
  ends: readonly Ends[],
): Promise<LiveFacts> {
  const shown = new Map(running.map((node) => [node, { action: 'show' } as const]));
  const isUp = ({ spec }: Pod): boolean => running.includes(spec?.nodeName ?? '');
  const servers = ends.map(({ server }) => server).filter((pod) => isUp(pod) && !isOfMachine(pod.spec));
  const wanted = ends.flatMap(({ client, server, serverAddress }) => [
    ...(isUp(client) ? [{ node: client.spec?.nodeName ?? '', to: serverAddress }] : []),
    ...(isUp(server) ? [{ node: server.spec?.nodeName ?? '', to: addressLike(client, serverAddress) }] : []),
  ]);
  const [faults, lists, routes] = await Promise.all([
    askNodes(bus, shown),
    Promise.all(servers.map(async (pod) => [pod.metadata?.uid ?? '', await listenersOf(bus, pod)] as const)),
    Promise.all(wanted.map(async ({ node, to }) => [routeKey(node, to), await routeOf(bus, node, to)] as const)),
  ]);
  return {
    faults,
    listeners: new Map(lists.flatMap(known)),
    routes: new Map(routes.flatMap(known)),
    stopped: new Set(nodes.filter((node) => !running.includes(node))),
    probes: new Map(),
  };
}

function known<Value>([key, value]: readonly [string, Value | undefined]): (readonly [string, Value])[] {
  return value === undefined ? [] : [[key, value]];
}

/** The pod's address of the family of another one. */
export function addressLike({ status }: Pod, like: string): string {
  const texts = status?.podIPs?.map(({ ip }) => ip ?? '') ?? [status?.podIP ?? ''];
  return texts.find((text) => text.includes(':') === like.includes(':')) ?? '';
}

/** Its sockets are the machine's kernel's. */
export function isOfMachine(spec: Pod['spec']): boolean {
  return spec?.runtimeClassName !== undefined;
}

/** Undefined when the node could not say. */
async function listenersOf(bus: Bus, { metadata, spec }: Pod): Promise<readonly Listener[] | undefined> {
  const ss = ['ss', '-Hltun'];
  const within = ['ip', 'netns', 'exec', `cni-${metadata?.namespace}.${metadata?.name}`, ...ss];
  const { exitCode, text } = await outputOf(bus, spec?.nodeName ?? '', spec?.hostNetwork ? ss : within);
  return exitCode === 0 ? parseListeners(text) : undefined;
}

/** null where the node has none; undefined when it could not say. */
async function routeOf(bus: Bus, node: string, to: string): Promise<NodeRoute | null | undefined> {
  if (to === '') return undefined;
  const [got, defaults] = await Promise.all([
    outputOf(bus, node, ['ip', 'route', 'get', to]),
    outputOf(bus, node, ['ip', to.includes(':') ? '-6' : '-4', 'route', 'show']),
  ]);
  if (got.exitCode === UNREACHABLE) return null;
  return got.exitCode === 0 ? parseRoute(got.text, defaults.text) : undefined;
}

/** Of `ip`: the kernel refused. */
const UNREACHABLE = 2;

/** From `ip route get` and `ip route show`. */
export function parseRoute(got: string, all: string): NodeRoute | undefined {
  const [, gateway, device = '', source = ''] = /(?:via (\S+) )?dev (\S+) src (\S+)/.exec(got) ?? [];
  if (device === '') return undefined;
  const [, defaultGateway] = /^default via (\S+) /m.exec(all) ?? [];
  return { source, device, isDefault: gateway !== undefined && gateway === defaultGateway };
}

/** Of a command on a node. */
export async function outputOf(
  bus: Bus,
  node: string,
  words: readonly string[],
): Promise<{ exitCode: number; text: string }> {
  let text = '';
  const command = await startOnNode(bus, node, words, {
    stdout: (chunk) => {
      text += chunk;
    },
  });
  const { exitCode } = await command.ended;
  return { exitCode, text };
}

/** `tcp   LISTEN 0 4096 *:8080 *:*` */
export function parseListeners(text: string): Listener[] {
  return text.split('\n').flatMap((line): Listener[] => {
    const [protocol, , , , local = ''] = line.split(/\s+/);
    const colon = local.lastIndexOf(':');
    const port = Number(local.slice(colon + 1));
    if ((protocol !== 'tcp' && protocol !== 'udp') || !(port > 0)) return [];
    const address = local.slice(0, colon).replace(/^\[|\]$/g, '');
    return [{ protocol, address: address === '0.0.0.0' || address === '::' ? '*' : address, port }];
  });
}

/** Whether some program takes what comes there. */
export function listensAt(listeners: readonly Listener[], wanted: Listener): boolean {
  return listeners.some(
    ({ protocol, address, port }) =>
      protocol === wanted.protocol && port === wanted.port && (address === '*' || address === wanted.address),
  );
}
