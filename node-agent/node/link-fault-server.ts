/** Faults of this node's links for `podwire link` over the bus. They live in the node: one that starts anew has none. */
import { badRequest } from '../../shared/api/status.ts';
import type { Bus, BusSubscription } from '../../shared/bus/connection.ts';
import { NODE_LINK_FAULTS } from '../../shared/bus/subjects.ts';
import type { LinkFault, LinkFaultRequest } from '../../shared/rules/link-fault.ts';
import { LinkFaultError, type LinkFaults } from '../datapath/faults/link-faults.ts';
import type { NodeKernel } from '../kernel.ts';

export function serveLinkFaults(bus: Bus, { loop, datapath }: NodeKernel): BusSubscription {
  return bus.serve(NODE_LINK_FAULTS, { node: datapath.nodeName }, async (request) => {
    try {
      return { faults: loop.run(() => answer(datapath.faults, request)) };
    } catch (error) {
      throw error instanceof LinkFaultError ? badRequest(error.message) : error;
    }
  });
}

function answer(faults: LinkFaults, request: LinkFaultRequest): LinkFault[] {
  switch (request.action) {
    case 'show':
      return faults.list();
    case 'clear':
      return faults.clear(request.targets);
    case 'set': {
      const { targets, change, seed, freshSeed, durationMs } = request;
      const durationUs = durationMs === undefined ? Number.POSITIVE_INFINITY : durationMs * 1000;
      return faults.set(targets, change, { seed, freshSeed, durationUs });
    }
  }
}
