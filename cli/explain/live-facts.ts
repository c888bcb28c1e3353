/** What no object of the API says and nodes do: faults of links between them, and at which ports programs listen. */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Bus } from '../../shared/bus/connection.ts';
import type { LinkFault } from '../../shared/rules/link-fault.ts';
import { askNodes } from '../link/node-faults.ts';
import { startOnNode } from '../pod-exec.ts';

export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  /** `*` for every one. */
  readonly address: string;
  readonly port: number;
}

export interface LiveFacts {
  readonly faults: readonly LinkFault[];
  /** By uid; pods of which nothing is known are left out. */
  readonly listeners: ReadonlyMap<string, readonly Listener[]>;
}

export const NO_FACTS: LiveFacts = { faults: [], listeners: new Map() };

/** Of the nodes that run; `servers` are the pods to which a packet may go. */
export async function readLiveFacts(bus: Bus, running: readonly string[], servers: readonly Pod[]): Promise<LiveFacts> {
  const shown = new Map(running.map((node) => [node, { action: 'show' } as const]));
  const asked = servers.filter(({ spec }) => running.includes(spec?.nodeName ?? '') && !isOfMachine(spec));
  const [faults, lists] = await Promise.all([
    askNodes(bus, shown),
    Promise.all(asked.map(async (pod) => [pod.metadata?.uid ?? '', await listenersOf(bus, pod)] as const)),
  ]);
  const known = lists.flatMap(([uid, list]) => (list === undefined ? [] : [[uid, list] as const]));
  return { faults, listeners: new Map(known) };
}

/** Its sockets are the machine's kernel's. */
function isOfMachine(spec: Pod['spec']): boolean {
  return spec?.runtimeClassName !== undefined;
}

/** Undefined when the node could not say. */
async function listenersOf(bus: Bus, { metadata, spec }: Pod): Promise<readonly Listener[] | undefined> {
  const ss = ['ss', '-Hltun'];
  const within = ['ip', 'netns', 'exec', `cni-${metadata?.namespace}.${metadata?.name}`, ...ss];
  let text = '';
  const command = await startOnNode(bus, spec?.nodeName ?? '', spec?.hostNetwork ? ss : within, {
    stdout: (chunk) => {
      text += chunk;
    },
  });
  const { exitCode } = await command.ended;
  return exitCode === 0 ? parseListeners(text) : undefined;
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
