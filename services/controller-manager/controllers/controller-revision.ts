/** ControllerRevisions: the templates a StatefulSet or DaemonSet had, as `kubectl rollout history` and `undo` read them. */
import type { ControllerRevision, DaemonSet, StatefulSet } from 'kubernetes-types/apps/v1.js';
import type { PodTemplateSpec } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import { CONTROLLERREVISIONS } from '../../../shared/api/resources.ts';
import type { Action } from '../action.ts';
import { controllerReference, isControlledBy } from '../owner.ts';
import { templateHash } from '../template-hash.ts';

const HASH_LABEL = 'controller.kubernetes.io/hash';
const DEFAULT_HISTORY_LIMIT = 10;

export interface Revisions {
  /** Names of ControllerRevisions; the same when no update is under way. */
  readonly current: string;
  readonly update: string;
  /** The template of pods that the update has not reached. */
  readonly currentTemplate: PodTemplateSpec;
  readonly actions: readonly Action[];
}

/** What has revisions: its resource and itself. */
export interface Revised {
  readonly resource: ResourceRef;
  readonly set: Live<StatefulSet> | Live<DaemonSet>;
}

type AnySet = Revised['set'];

/** `namesInUse`: the ControllerRevisions that pods were made from. */
export function reviseHistory(
  { resource, set }: Revised,
  all: readonly Live<ControllerRevision>[],
  namesInUse: ReadonlySet<string>,
): Revisions {
  const history = all.filter((revision) => isControlledBy(revision, set)).sort((a, b) => a.revision - b.revision);
  const hash = templateHash(set.spec.template, set.status?.collisionCount ?? 0);
  const update = `${set.metadata.name}-${hash}`;
  const known = history.find(({ metadata }) => metadata.name === update);
  const reached = set.status !== undefined && 'currentRevision' in set.status ? set.status.currentRevision : undefined;
  const current = history.find(({ metadata }) => metadata.name === reached);
  const currentName = current?.metadata.name ?? update;
  const live = new Set([...namesInUse, update, currentName]);
  return {
    current: currentName,
    update,
    currentTemplate: (current && templateIn(current)) ?? set.spec.template,
    actions: [...recordUpdate({ resource, set }, history, known, hash), ...forgetOld(set, history, live)],
  };
}

function recordUpdate(
  revised: Revised,
  history: readonly Live<ControllerRevision>[],
  known: Live<ControllerRevision> | undefined,
  hash: string,
): Action[] {
  const newest = history.at(-1)?.revision ?? 0;
  if (known === undefined) {
    return [{ kind: 'create', resource: CONTROLLERREVISIONS, object: newRevision(revised, hash, newest + 1) }];
  }
  if (known.revision === newest) return [];
  // An undo: the old revision becomes the newest.
  const { name, namespace, uid } = known.metadata;
  const body = { metadata: { uid }, revision: newest + 1 };
  return [{ kind: 'patch', resource: CONTROLLERREVISIONS, name, namespace, type: 'merge', body }];
}

function newRevision({ resource, set }: Revised, hash: string, revision: number): ControllerRevision {
  const { template } = set.spec;
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${set.metadata.name}-${hash}`,
      namespace: set.metadata.namespace,
      labels: { ...template.metadata?.labels, [HASH_LABEL]: hash },
      ownerReferences: [controllerReference(resource, set)],
    },
    // The strategic patch that brings the set back to this revision.
    data: { spec: { template: { ...template, $patch: 'replace' } } },
    revision,
  };
}

function templateIn(revision: ControllerRevision): PodTemplateSpec | undefined {
  const data = revision.data as
    | { readonly spec?: { readonly template?: PodTemplateSpec & { $patch?: string } } }
    | undefined;
  if (data?.spec?.template === undefined) return undefined;
  const { $patch: _, ...template } = data.spec.template;
  return template;
}

function forgetOld(set: AnySet, history: readonly Live<ControllerRevision>[], live: ReadonlySet<string>): Action[] {
  const unused = history.filter(({ metadata }) => !live.has(metadata.name));
  const surplus = unused.length - (set.spec.revisionHistoryLimit ?? DEFAULT_HISTORY_LIMIT);
  return unused.slice(0, Math.max(0, surplus)).map(
    ({ metadata: { name, namespace, uid } }): Action => ({
      kind: 'delete',
      resource: CONTROLLERREVISIONS,
      name,
      namespace,
      uid,
    }),
  );
}
