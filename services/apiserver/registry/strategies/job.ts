/** Jobs select their pods by their own uid, unless told otherwise (Kubernetes "Jobs", "Specifying your own Pod selector"). */
import type { Job } from 'kubernetes-types/batch/v1.js';
import type { Strategy } from '../strategy.ts';

const UID_LABEL = 'batch.kubernetes.io/controller-uid';
const NAME_LABEL = 'batch.kubernetes.io/job-name';
const OLD_UID_LABEL = 'controller-uid';
const OLD_NAME_LABEL = 'job-name';

export const jobStrategy: Strategy = {
  create(object) {
    // The decoder has checked the object against the Job type.
    const { spec } = object as unknown as Job;
    const { uid = '', name = '' } = object.metadata;
    if (spec === undefined || spec.manualSelector === true) return undefined;
    spec.selector ??= {};
    spec.selector.matchLabels = { ...spec.selector.matchLabels, [UID_LABEL]: uid };
    spec.template.metadata ??= {};
    spec.template.metadata.labels = {
      ...spec.template.metadata.labels,
      [UID_LABEL]: uid,
      [OLD_UID_LABEL]: uid,
      [NAME_LABEL]: name,
      [OLD_NAME_LABEL]: name,
    };
    return undefined;
  },
};
