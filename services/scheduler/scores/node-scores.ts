/** Scores that look at one node alone. */
import { nodeSelectorTermMatches } from '../../../shared/api/node-affinity.ts';
import { tolerates } from '../../../shared/api/toleration.ts';
import { type NodeInfo, reckonedRequest } from '../node-info.ts';
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

/** The more is left over, the better. */
export const leastAllocated: Score = {
  name: 'NodeResourcesFit',
  weight: 1,
  scale: 'as-is',
  raw({ request }, nodes) {
    const wanted = reckonedRequest(request);
    return nodes.map((info) => {
      const shares = (['cpu', 'memory'] as const).map((name) => freeShare(info, name, wanted[name]));
      return (shares.reduce((sum, share) => sum + share, 0) / shares.length) * MAX_SCORE;
    });
  },
};

function freeShare({ allocatable, reckoned }: NodeInfo, name: string, wanted: number): number {
  const total = allocatable[name] ?? 0;
  return total === 0 ? 0 : Math.max(0, (total - (reckoned[name] ?? 0) - wanted) / total);
}
