/** Which kinds have a strategy of their own. */
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import type { ClusterConfig } from '../../../shared/runtime/config.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import { namespaceStrategy } from './strategies/namespace.ts';
import type { Strategy } from './strategy.ts';

export interface StrategySources {
  readonly storage: ObjectStorage;
  readonly config: Pick<ClusterConfig, 'serviceCidr' | 'evictionAfterMs'>;
}

const NOTHING_SPECIAL: Strategy = {};

export function strategies(_sources: StrategySources): (definition: ResourceDefinition) => Strategy {
  const byResource: Readonly<Record<string, Strategy>> = {
    '/namespaces': namespaceStrategy,
  };
  return ({ group, resource }) => byResource[`${group}/${resource}`] ?? NOTHING_SPECIAL;
}
