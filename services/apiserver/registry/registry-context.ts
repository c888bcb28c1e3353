/** What all the verbs work on. */
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import type { ApiCall } from './api-call.ts';
import type { Strategy, WriteContext } from './strategy.ts';

export interface RegistryContext {
  readonly storage: ObjectStorage;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly random: Random;
  strategyOf(definition: Pick<ResourceDefinition, 'group' | 'resource'>): Strategy;
}

export function writeContext(context: RegistryContext, call: ApiCall, dryRun: boolean): WriteContext {
  return { dryRun, user: call.user, origin: call.origin, nowMs: context.clock.nowMs(), warn: call.warn };
}
