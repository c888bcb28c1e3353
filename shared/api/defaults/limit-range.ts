/** What follows for containers from what a LimitRange says (Kubernetes API reference, "LimitRange"). */
import type { LimitRange } from 'kubernetes-types/core/v1.js';

/** A maximum is the default limit, a default limit the default request, and so is a minimum. */
export function defaultLimitRange({ spec }: LimitRange): void {
  for (const item of spec?.limits ?? []) {
    if (item.type !== 'Container') continue;
    item.default = { ...item.max, ...item.default };
    item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
  }
}
