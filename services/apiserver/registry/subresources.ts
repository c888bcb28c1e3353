/** Who answers for which subresource and for which kind that is never stored. */
import type { ApiAnswer, ApiCall } from './api-call.ts';
import type { RegistryContext } from './registry-context.ts';
import { getScale, patchScale, updateScale } from './scale.ts';

export type SubresourceHandler = (context: RegistryContext, call: ApiCall) => Promise<ApiAnswer>;

/** By `resource/subresource verb`; `*` stands for every resource. */
const HANDLERS: Readonly<Record<string, SubresourceHandler>> = {
  '*/scale get': getScale,
  '*/scale update': updateScale,
  '*/scale patch': patchScale,
};

export function subresourceHandler(call: ApiCall): SubresourceHandler | undefined {
  const { definition, subresource, verb } = call;
  const rest = subresource === undefined ? ` ${verb}` : `/${subresource.name} ${verb}`;
  return HANDLERS[`${definition.resource}${rest}`] ?? HANDLERS[`*${rest}`];
}
