/** A Job's pod: its template, which the API server labelled with the Job's name and uid, and what an index adds. */
import type { Job } from 'kubernetes-types/batch/v1.js';
import type { Container, Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { JOBS } from '../../../../shared/api/resources.ts';
import { podFromTemplate } from '../pod-template.ts';
import { COMPLETION_INDEX } from './completion-index.ts';
import { FAILURE_COUNT } from './index-failures.ts';

const INDEX_VARIABLE = 'JOB_COMPLETION_INDEX';

/** `index` for Indexed Jobs, `failures` of it where they have a limit. The API server completes the name. */
export function jobPod(job: Live<Job>, index: number | undefined, failures: number | undefined): Pod {
  const pod = podFromTemplate(job.spec.template, JOBS, job);
  if (index === undefined) return pod;
  const indexed = withIndex(pod, job.metadata.name, index);
  if (failures === undefined) return indexed;
  const annotations = { ...indexed.metadata?.annotations, [FAILURE_COUNT]: String(failures) };
  return { ...indexed, metadata: { ...indexed.metadata, annotations } };
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
