/** Says what the node and its containers use, when somebody asks: nothing is measured while nobody does. */
import type { Bus, BusSubscription } from '../../shared/bus/connection.ts';
import { NODE_USAGE } from '../../shared/bus/node-usage.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { PodManager } from '../pods/pod-manager.ts';
import { usageOfProcesses, usageOfThisProcess } from './process-usage.ts';
import { UsageMeter, type UsageReading } from './usage-meter.ts';

export function serveUsage(bus: Bus, node: string, pods: PodManager, clock: Clock): BusSubscription {
  const meter = new UsageMeter({ atMs: clock.nowMs(), agent: usageOfThisProcess(), pods: [] });
  const read = (): UsageReading => ({
    atMs: clock.nowMs(),
    agent: usageOfThisProcess(),
    pods: pods.metered(usageOfProcesses),
  });
  return bus.serve(NODE_USAGE, { node }, async () => meter.usage(read, clock.nowMs()));
}
