/** What a StatefulSet's pod keeps when it is replaced: its name, its host name (and so its DNS name) and its ordinal. */
import type { StatefulSet } from 'kubernetes-types/apps/v1.js';
import type { Pod, PodTemplateSpec } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { STATEFULSETS } from '../../../../shared/api/resources.ts';
import { podFromTemplate } from '../pod-template.ts';

/** For StatefulSets its value is the whole name of the ControllerRevision. */
export const REVISION_LABEL = 'controller-revision-hash';
const POD_NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX_LABEL = 'apps.kubernetes.io/pod-index';

/** The ordinal in `web-3` of StatefulSet `web`; undefined when the name is not one of the set's. */
export function ordinalOf(set: Live<StatefulSet>, podName: string): number | undefined {
  const prefix = `${set.metadata.name}-`;
  if (!podName.startsWith(prefix)) return undefined;
  const rest = podName.slice(prefix.length);
  return /^(0|[1-9]\d*)$/.test(rest) ? Number(rest) : undefined;
}

export function podOf(set: Live<StatefulSet>, template: PodTemplateSpec, ordinal: number, revision: string): Pod {
  const name = `${set.metadata.name}-${ordinal}`;
  const pod = podFromTemplate(template, STATEFULSETS, set);
  const { generateName: _, ...metadata } = pod.metadata ?? {};
  return {
    ...pod,
    metadata: {
      ...metadata,
      name,
      labels: {
        ...metadata.labels,
        [POD_NAME_LABEL]: name,
        [POD_INDEX_LABEL]: String(ordinal),
        [REVISION_LABEL]: revision,
      },
    },
    spec: { ...(pod.spec ?? { containers: [] }), hostname: name, subdomain: set.spec.serviceName },
  };
}
