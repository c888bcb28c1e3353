/** Placeholder until columns land. */
import type { KubeObject } from '../../../shared/api/object.ts';
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import { partialMetadata } from './answer-shape.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableOptions {
  readonly version: string;
  readonly includeObject: IncludeObject;
  readonly nowMs: number;
}

/** A Table without its list metadata. */
export function tableOf(_definition: ResourceDefinition, items: readonly KubeObject[], options: TableOptions): object {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${options.version}`,
    columnDefinitions: [{ name: 'Name', type: 'string', format: 'name', description: '', priority: 0 }],
    rows: items.map((item) => ({
      cells: [item.metadata.name],
      ...(options.includeObject === 'None'
        ? {}
        : { object: options.includeObject === 'Object' ? item : partialMetadata(item) }),
    })),
  };
}
