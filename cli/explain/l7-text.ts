/** What a connection may carry, for people. */
import { httpRuleText } from '../../shared/policy/http-rule-text.ts';
import type { L7Alternative, L7Decision } from '../../shared/policy/l7-rules.ts';
import { patternText } from '../../shared/policy/name-pattern.ts';

/** `CiliumNetworkPolicy shop/web, ingress rule 1, for HTTP requests that fit GET /v1/.*; others get 403`. */
export function l7Text({ kind, alternatives }: L7Decision): string {
  const open = alternatives.find(({ rules }) => rules === null);
  const [what, others] = kind === 'http' ? ['HTTP requests', '403 Access denied'] : ['DNS questions', 'REFUSED'];
  if (open !== undefined) return `${placeOf(open)}, for all ${what}; the proxy of the node looks at them`;
  const parts = alternatives.map((one) => `${placeOf(one)}, for ${what} that fit ${rulesText(one)}`);
  return `${parts.join(', or by ')}; others get ${others}`;
}

function placeOf({ cause, rule }: L7Alternative): string {
  return rule === null ? cause : `${cause}, ${rule}`;
}

function rulesText({ rules }: L7Alternative): string {
  const texts = rules?.kind === 'http' ? rules.rules.map(httpRuleText) : rules?.rules.map(patternText);
  return (texts ?? []).join(' or ');
}
