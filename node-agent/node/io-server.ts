/** Says what carries the node's datagrams and what was lost on the way, and switches batches on and off while it runs. */
import type { Bus, BusSubscription } from '../../shared/bus/connection.ts';
import { NODE_IO, type NodeIo } from '../../shared/bus/node-io.ts';
import type { NodeKernel } from '../kernel.ts';

export function serveIo(bus: Bus, { link, io, datapath }: NodeKernel, node: string): BusSubscription {
  return bus.serve(NODE_IO, { node }, async ({ batches }): Promise<NodeIo> => {
    if (batches !== undefined) link.batches = batches && io.tier !== 'dgram';
    const { lostSegments } = datapath.underlay;
    const counters = { ...link.counters, lostSegments, kernelDrops: link.kernelDrops.count() };
    return { tier: io.tier, fallback: io.fallback, batches: link.batches, counters };
  });
}
