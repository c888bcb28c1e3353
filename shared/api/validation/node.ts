/** What an update of a Node may change: labels, annotations, taints, whether pods are placed there, what it has, and its status. */
import type { Node } from 'kubernetes-types/core/v1.js';
import { isSame } from '../json-equality.ts';
import type { FieldError } from '../status.ts';
import { forbiddenValue } from './field-error.ts';

const ONCE = 'except from "" to valid';

export function nodeChangeErrors({ spec = {} }: Node, { spec: old = {} }: Node): FieldError[] {
  const errors: FieldError[] = [];
  const { podCIDRs: _, podCIDR: _cidr, providerID: _id, taints: _t, unschedulable: _u, ...rest } = spec;
  const { podCIDRs = [], podCIDR: _oldCidr, providerID, taints: _oldT, unschedulable: _oldU, ...oldRest } = old;
  if (podCIDRs.length > 0 && !isSame(spec.podCIDRs ?? [], podCIDRs)) {
    errors.push(forbiddenValue('spec.podCIDRs', `node updates may not change podCIDR ${ONCE}`));
  }
  if (providerID && spec.providerID !== providerID) {
    errors.push(forbiddenValue('spec.providerID', `node updates may not change providerID ${ONCE}`));
  }
  if (!isSame(rest, oldRest)) {
    errors.push(forbiddenValue('', 'node updates may only change labels, taints, or capacity'));
  }
  return errors;
}
