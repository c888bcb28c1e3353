/** What is allowed in a pod and most likely a mistake: told to the client in `Warning` headers, in the original's words. */
import type { Container, PodSpec } from 'kubernetes-types/core/v1.js';
import { fieldAt, type JsonObject } from '../object.ts';

/** Where a kind has the specification of a pod, by its type's name. */
const POD_SPECS: Readonly<Record<string, readonly string[]>> = {
  'apps.v1.DaemonSet': ['spec', 'template', 'spec'],
  'apps.v1.Deployment': ['spec', 'template', 'spec'],
  'apps.v1.ReplicaSet': ['spec', 'template', 'spec'],
  'apps.v1.StatefulSet': ['spec', 'template', 'spec'],
  'batch.v1.CronJob': ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
  'batch.v1.Job': ['spec', 'template', 'spec'],
  'core.v1.Pod': ['spec'],
  'core.v1.PodTemplate': ['template', 'spec'],
  'core.v1.ReplicationController': ['spec', 'template', 'spec'],
};

/** `object` was decoded as the type of this name. */
export function warningsFor(object: JsonObject, typeName: string): string[] {
  const steps = POD_SPECS[typeName];
  const spec = steps === undefined ? undefined : (fieldAt(object, ...steps) as PodSpec | undefined);
  if (steps === undefined || spec === undefined) return [];
  const path = steps.join('.');
  return (['initContainers', 'containers'] as const).flatMap((field) =>
    (spec[field] ?? []).flatMap((container, i) => variableWarnings(container, `${path}.${field}[${i}]`)),
  );
}

/** The last one of a name holds. */
function variableWarnings({ env = [] }: Container, path: string): string[] {
  const seen = new Set<string>();
  return env.flatMap(({ name }, i) => {
    const isAgain = seen.has(name);
    seen.add(name);
    const text = `hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`;
    return isAgain ? [`${path}.env[${i}]: ${text}`] : [];
  });
}
