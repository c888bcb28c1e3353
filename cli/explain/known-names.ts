/** What DNS told the pods of a node with cilium: rules about names mean these addresses. */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { isJsonObject } from '../../shared/api/object.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import type { ClusterObjects, KnownName } from './cluster-objects.ts';
import { outputOf } from './live-facts.ts';

const COMMAND = ['cilium-dbg', 'fqdn', 'cache', 'list', '-o', 'json'];

/** Undefined where no rule speaks of names, or the pod's node does not run. */
export async function knownNames(
  bus: Bus,
  running: readonly string[],
  { policies }: ClusterObjects,
  client: Pod,
): Promise<readonly KnownName[] | undefined> {
  const node = client.spec?.nodeName ?? '';
  const asks = policies.some(({ object }) => JSON.stringify(object).includes('"toFQDNs"'));
  if (!asks || !running.includes(node)) return undefined;
  const { exitCode, text } = await outputOf(bus, node, COMMAND);
  return exitCode === 0 ? decodeNames(text) : undefined;
}

/** Of what the command prints; nothing of what is none of it. */
function decodeNames(text: string): readonly KnownName[] | undefined {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!Array.isArray(list)) return undefined;
  return list.flatMap((entry: unknown): KnownName[] => {
    if (!isJsonObject(entry) || typeof entry.fqdn !== 'string' || !Array.isArray(entry.ips)) return [];
    return [{ name: entry.fqdn, addresses: entry.ips.filter((ip) => typeof ip === 'string') }];
  });
}
