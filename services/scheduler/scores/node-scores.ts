/** Scores that look at one node alone. */
import { nodeSelectorTermMatches } from '../../../shared/api/node-affinity.ts';
import { tolerates } from '../../../shared/api/toleration.ts';
import type { NodeInfo } from '../node-info.ts';
import type { ResourceAmounts } from '../pod-request.ts';
import { MAX_SCORE, type Score } from './score.ts';

/** Taints with PreferNoSchedule that the pod does not tolerate. */
export const taintScore: Score = {
  name: 'TaintToleration',
  weight: 3,
  scale: 'lowest-is-best',
  raw: ({ pod }, nodes) =>
    nodes.map(
      ({ node }) =>
        (node.spec.taints ?? []).filter(
          (taint) =>
            taint.effect === 'PreferNoSchedule' &&
            !pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint)),
        ).length,
    ),
};

export const nodeAffinityScore: Score = {
  name: 'NodeAffinity',
  weight: 2,
  scale: 'highest-is-best',
  raw: ({ pod }, nodes) => {
    const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    return nodes.map(({ node }) =>
      preferred.reduce(
        (sum, { weight, preference }) => sum + (nodeSelectorTermMatches(preference, node) ? weight : 0),
        0,
      ),
    );
  },
};

/** What a container without requests counts as, so that such pods spread too. */
const DEFAULT_REQUEST: ResourceAmounts = { cpu: 100, memory: 200 * 1024 * 1024 };

/** The more is left over, the better. */
export const leastAllocated: Score = {
  name: 'NodeResourcesFit',
  weight: 1,
  scale: 'as-is',
  raw: ({ request }, nodes) =>
    nodes.map((info) => {
      const shares = ['cpu', 'memory'].map((name) => freeShare(info, name, request));
      return (shares.reduce((sum, share) => sum + share, 0) / shares.length) * MAX_SCORE;
    }),
};

function freeShare({ allocatable, pods }: NodeInfo, name: string, request: ResourceAmounts): number {
  const total = allocatable[name] ?? 0;
  if (total === 0) return 0;
  let used = request[name] || (DEFAULT_REQUEST[name] ?? 0);
  for (const pod of pods.values()) used += pod.request[name] || (DEFAULT_REQUEST[name] ?? 0);
  return Math.max(0, (total - used) / total);
}
