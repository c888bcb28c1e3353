import type { LeaseStore, Leases } from './host-local.ts';

/** Leases that last as long as the test. */
export function memoryLeases(): LeaseStore {
  let leases: Leases | undefined;
  return {
    load: () => leases,
    save: (saved) => {
      leases = saved;
    },
  };
}
