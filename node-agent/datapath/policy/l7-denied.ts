/** What rules about content refuse. */
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import type { L7Alternative } from '../../../shared/policy/l7-rules.ts';

const L7_DENIED = 'policy-l7-denied';

/** The cause names all policies that might have allowed it. */
export function denialOf(alternatives: readonly L7Alternative[]): DropReason {
  return { code: L7_DENIED, cause: [...new Set(alternatives.map(({ cause }) => cause))].sort().join(', ') };
}
