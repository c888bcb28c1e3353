/** Says what the node and its containers use, when somebody asks: nothing is measured while nobody does. */
import type { Bus, BusSubscription } from '../../shared/bus/connection.ts';
import { type ContainerUsage, NODE_USAGE, type NodeUsage } from '../../shared/bus/node-usage.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { PodManager } from '../pods/pod-manager.ts';
import { usageOfProcesses, usageOfThisProcess } from './process-usage.ts';
import { UsageMeter } from './usage-meter.ts';

/** The node's one meter: whoever asks, over the bus or the kubelet's own endpoints, gets the same figures. */
export class NodeUsageSource {
  private readonly clock: Clock;
  private readonly meter: UsageMeter;

  /** To be made before there are pods. */
  constructor(clock: Clock) {
    this.clock = clock;
    this.meter = new UsageMeter({ atMs: clock.nowMs(), agent: usageOfThisProcess(), pods: [] });
  }

  usage(pods: PodManager): NodeUsage {
    const nowMs = this.clock.nowMs();
    return this.meter.usage(
      () => ({ atMs: nowMs, agent: usageOfThisProcess(), pods: pods.metered(usageOfProcesses) }),
      nowMs,
    );
  }

  /** Processor time that a container has had until the last `usage`, in nanoseconds. */
  totalNanoSeconds(container: ContainerUsage): number {
    return this.meter.totalNanoSeconds(container);
  }
}

export function serveUsage(bus: Bus, node: string, pods: PodManager, source: NodeUsageSource): BusSubscription {
  return bus.serve(NODE_USAGE, { node }, async () => source.usage(pods));
}
