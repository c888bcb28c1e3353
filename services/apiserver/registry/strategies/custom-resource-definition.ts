/** CustomResourceDefinitions: their names are accepted as they are written, and their objects go before they do. */
import type { CustomResourceDefinition } from 'kubernetes-types/apiextensions/v1.js';
import { CLEANUP_FINALIZER, definitionStatus } from '../../../../shared/api/custom-resource/names.ts';
import { isSame } from '../../../../shared/api/json-equality.ts';
import { fieldAt, isJsonObject, type KubeObject } from '../../../../shared/api/object.ts';
import { CUSTOMRESOURCEDEFINITIONS } from '../../../../shared/api/resources.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import type { ObjectStorage } from '../../storage/object-storage.ts';
import type { Strategy } from '../strategy.ts';

export function definitionStrategy(storage: ObjectStorage): Strategy {
  return {
    create(definition, { nowMs }) {
      const { finalizers = [] } = definition.metadata;
      definition.metadata.finalizers = [...new Set([...finalizers, CLEANUP_FINALIZER])];
      judge(storage, definition, formatTimestamp(nowMs));
      return undefined;
    },

    update(definition, _old, { nowMs }) {
      judge(storage, definition, formatTimestamp(nowMs));
      return undefined;
    },

    markDeleted(definition) {
      judge(storage, definition, definition.metadata.deletionTimestamp!);
    },

    /** Its names are free: somebody may have waited for them. */
    async deleted(gone) {
      const group = fieldAt(gone, 'spec', 'group');
      for (const { object } of storage.of(CUSTOMRESOURCEDEFINITIONS).list()) {
        const { name = '' } = object.metadata;
        if (fieldAt(object, 'spec', 'group') !== group) continue;
        await storage.update(CUSTOMRESOURCEDEFINITIONS, name, undefined, (current) => {
          const next = structuredClone(current);
          judge(storage, next, formatTimestamp(Date.now()));
          return isSame(next.status, current.status) ? { kind: 'unchanged' } : { kind: 'write', object: next };
        });
      }
    },
  };
}

/** A definition that is not even one is left to validation. */
function judge(storage: ObjectStorage, definition: KubeObject, now: string): void {
  if (!isJsonObject(fieldAt(definition, 'spec', 'names'))) return;
  if (!Array.isArray(fieldAt(definition, 'spec', 'versions'))) return;
  const others = storage.of(CUSTOMRESOURCEDEFINITIONS).list();
  definition.status = definitionStatus(
    asDefinition(definition),
    others.map(({ object }) => asDefinition(object)),
    now,
  );
}

/** The type table has decoded it as such. */
function asDefinition(object: KubeObject): CustomResourceDefinition {
  return object as unknown as CustomResourceDefinition;
}
