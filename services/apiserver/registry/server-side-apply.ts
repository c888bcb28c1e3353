/** PATCH with `application/apply-patch+yaml` (Kubernetes "Server-Side Apply"). */

import { ApiError } from '../../../shared/api/status.ts';
import type { ApiAnswer, ApiCall, RequestBody } from './api-call.ts';
import type { RegistryContext } from './registry-context.ts';

export async function serverSideApply(
  _context: RegistryContext,
  _call: ApiCall,
  _body: RequestBody,
): Promise<ApiAnswer> {
  throw new ApiError(415, 'UnsupportedMediaType', 'apply is on its way');
}
