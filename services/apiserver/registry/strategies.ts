/** Which kinds have a strategy of their own. */
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import type { ClusterConfig } from '../../../shared/runtime/config.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import type { ServiceRanges } from '../allocation/service-ranges.ts';
import type { RbacAuthorizer } from '../authorization/rbac.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import { definitionStrategy } from './strategies/custom-resource-definition.ts';
import { beginsIn } from './strategies/first-phase.ts';
import { jobStrategy } from './strategies/job.ts';
import { namespaceStrategy } from './strategies/namespace.ts';
import { podStrategy } from './strategies/pod.ts';
import { rbacStrategies } from './strategies/rbac.ts';
import { secretStrategy } from './strategies/secret.ts';
import { serviceStrategy } from './strategies/service.ts';
import type { Strategy } from './strategy.ts';

export interface StrategySources {
  readonly storage: ObjectStorage;
  readonly random: Random;
  readonly ranges: ServiceRanges;
  readonly config: Pick<ClusterConfig, 'evictionAfterMs'>;
  /** Absent when everything is allowed. */
  readonly rbac: RbacAuthorizer | undefined;
}

const NOTHING_SPECIAL: Strategy = {};

export function strategies({
  storage,
  random,
  ranges,
  config,
  rbac,
}: StrategySources): (definition: Pick<ResourceDefinition, 'group' | 'resource'>) => Strategy {
  const byResource: Readonly<Record<string, Strategy>> = {
    '/namespaces': namespaceStrategy,
    '/persistentvolumeclaims': beginsIn('Pending'),
    '/persistentvolumes': beginsIn('Pending'),
    '/pods': podStrategy({ storage, random, evictionAfterMs: config.evictionAfterMs }),
    '/secrets': secretStrategy,
    '/services': serviceStrategy(ranges),
    'apiextensions.k8s.io/customresourcedefinitions': definitionStrategy(storage),
    'batch/jobs': jobStrategy,
    ...(rbac === undefined ? {} : rbacStrategies(rbac)),
  };
  return ({ group, resource }) => byResource[`${group}/${resource}`] ?? NOTHING_SPECIAL;
}
