/** A Job's pod: its template, which the API server labelled with the Job's name and uid, and what an index adds. */
import type { Job } from 'kubernetes-types/batch/v1.js';
import type { Container, Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { JOBS } from '../../../../shared/api/resources.ts';
import { podFromTemplate } from '../pod-template.ts';
import { COMPLETION_INDEX } from './completion-index.ts';

const INDEX_VARIABLE = 'JOB_COMPLETION_INDEX';

/** `index` for Indexed Jobs. The API server completes the name. */
export function jobPod(job: Live<Job>, index: number | undefined): Pod {
  const pod = podFromTemplate(job.spec.template, JOBS, job);
  return index === undefined ? pod : withIndex(pod, job.metadata.name, index);
}

function withIndex(pod: Pod, jobName: string, index: number): Pod {
  const spec = pod.spec ?? { containers: [] };
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${jobName}-${index}-`,
      labels: { ...pod.metadata?.labels, [COMPLETION_INDEX]: String(index) },
      annotations: { ...pod.metadata?.annotations, [COMPLETION_INDEX]: String(index) },
    },
    spec: {
      ...spec,
      hostname: `${jobName}-${index}`,
      containers: spec.containers.map(withVariable),
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(withVariable) }),
    },
  };
}

function withVariable(container: Container): Container {
  if (container.env?.some(({ name }) => name === INDEX_VARIABLE)) return container;
  const fieldRef = { fieldPath: `metadata.annotations['${COMPLETION_INDEX}']` };
  return { ...container, env: [...(container.env ?? []), { name: INDEX_VARIABLE, valueFrom: { fieldRef } }] };
}
