/** cilium's `enable-policy`: whether endpoints that no policy selects may do what they like (docs.cilium.io, "Policy Enforcement Modes"). */
import { type Policy, TIER_NAMESPACE } from './policy-rule.ts';

export const ENFORCEMENT_MODES = ['default', 'always', 'never'] as const;
export type EnforcementMode = (typeof ENFORCEMENT_MODES)[number];

const EVERYBODY_IS_ISOLATED: Policy = {
  title: 'policyEnforcementMode=always',
  tier: TIER_NAMESPACE,
  priority: Number.MAX_SAFE_INTEGER,
  subject: {},
  ingress: [],
  egress: [],
  isolates: true,
};

export function inMode(policies: readonly Policy[], mode: EnforcementMode): readonly Policy[] {
  if (mode === 'never') return [];
  return mode === 'always' ? [...policies, EVERYBODY_IS_ISOLATED] : policies;
}

/** What is none of them is the default. */
export function enforcementMode(text: string | undefined): EnforcementMode {
  return ENFORCEMENT_MODES.find((mode) => mode === text) ?? 'default';
}
