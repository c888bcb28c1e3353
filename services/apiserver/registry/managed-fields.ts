/** Who set which fields, for server-side apply. */
import type { KubeObject } from '../../../shared/api/object.ts';
import type { ApiCall } from './api-call.ts';
import type { RegistryContext } from './registry-context.ts';

/** `wanted` with the managers that a create, an update or a patch by `manager` leads to. */
export function trackUpdate(
  _context: RegistryContext,
  _call: ApiCall,
  _current: KubeObject | undefined,
  wanted: KubeObject,
  _manager: string | undefined,
): KubeObject {
  return wanted;
}
