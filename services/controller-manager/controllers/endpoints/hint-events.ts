/** What a Service's events say of its topology aware hints, in the original's words; once a change. */
import type { Service } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import type { Action } from '../../action.ts';
import { same } from '../../same.ts';
import type { HintState } from './endpointslice.ts';
import type { Family } from './service-endpoints.ts';

type HintStates = ReadonlyMap<Family, HintState>;

/** Events about the differences of `after` from `before`, what was said last. */
export function hintEvents(service: Live<Service>, before: HintStates, after: HintStates): Action[] {
  const families = new Set([...before.keys(), ...after.keys()]);
  return [...families].flatMap((family): Action[] => {
    const state = after.get(family);
    if (same(before.get(family), state)) return [];
    if (state?.enabled === true)
      return [eventAbout(service, family, 'Topology Aware Hints has been enabled', 'Enabled')];
    if (state !== undefined) return [eventAbout(service, family, state.refusal, 'Disabled')];
    if (before.get(family)?.enabled !== true) return [];
    return [eventAbout(service, family, 'Topology Aware Hints has been disabled', 'Disabled')];
  });
}

function eventAbout(service: Live<Service>, family: Family, text: string, what: 'Enabled' | 'Disabled'): Action {
  const { name, namespace, uid } = service.metadata;
  return {
    kind: 'event',
    about: { apiVersion: 'v1', kind: 'Service', name, namespace, uid },
    type: what === 'Enabled' ? 'Normal' : 'Warning',
    reason: `TopologyAwareHints${what}`,
    message: `${text}, addressType: ${family}`,
  };
}
