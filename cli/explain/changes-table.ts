/** What policies would change, as a table for people: a pair that changes for every protocol is one row. */
import { tableText } from '../output.ts';
import { type Change, PROTOCOLS } from './what-if.ts';

export function changesText(changes: readonly Change[]): string {
  if (changes.length === 0) return 'no pair of pods would see a change';
  const rows = wholePairs(changes).map(({ from, to, protocol, ports, after, cause }) => [
    from,
    to,
    protocol,
    ports,
    after,
    cause,
  ]);
  const pairs = new Set(changes.map(({ from, to }) => `${from} ${to}`)).size;
  const total = pairs === 1 ? '1 pair of pods would see a change' : `${pairs} pairs of pods would see a change`;
  return `${tableText(['FROM', 'TO', 'PROTOCOL', 'PORTS', 'WOULD BE', 'BY'], rows)}\n\n${total}`;
}

/** In the order of the first change of each. */
function wholePairs(changes: readonly Change[]): Change[] {
  const likeIt = Map.groupBy(changes, ({ from, to, after, cause }) => JSON.stringify([from, to, after, cause]));
  return [...likeIt.values()].flatMap((group) => {
    const isWhole = group.length === PROTOCOLS.length && group.every(({ ports }) => ports === 'all' || ports === '');
    return isWhole ? [{ ...group[0]!, protocol: 'any', ports: 'all' }] : group;
  });
}
