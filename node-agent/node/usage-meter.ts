/**
 * What a node and its containers use. Programs with processes of their own are measured. Emulated ones share the node's process:
 * each pod has that part of its processor time that the pod had of all packets, and each container an equal part of the memory
 * that the process has taken since it began.
 */
import type { ContainerUsage, NodeUsage, Usage } from '../../shared/bus/node-usage.ts';

/** Of a process so far. */
export interface ProcessUsage {
  readonly cpuUs: number;
  readonly memoryBytes: number;
}

export interface MeteredContainer {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly startedAtMs: number;
  /** Of programs that are processes of the machine. */
  readonly processes: ProcessUsage | undefined;
}

export interface MeteredPod {
  readonly uid: string;
  /** Sent and received so far, on a device of the pod's own. */
  readonly packets: number;
  readonly containers: readonly MeteredContainer[];
}

export interface UsageReading {
  readonly atMs: number;
  /** The node-agent's process. */
  readonly agent: ProcessUsage;
  readonly pods: readonly MeteredPod[];
}

/** Who asks more often gets the same figures: rates over less are noise. */
const SHORTEST_WINDOW_MS = 5000;

export class UsageMeter {
  private readonly idleBytes: number;
  private before: UsageReading;
  private last: NodeUsage | undefined;
  /** Processor time of each container over all windows so far, in nanoseconds. */
  private totals = new Map<string, number>();

  /** `first`: a reading before there were pods. */
  constructor(first: UsageReading) {
    this.before = first;
    this.idleBytes = first.agent.memoryBytes;
  }

  usage(read: () => UsageReading, nowMs: number): NodeUsage {
    if (this.last !== undefined && nowMs - this.before.atMs < SHORTEST_WINDOW_MS) return this.last;
    const now = read();
    this.last = usageBetween(this.before, now, this.idleBytes);
    this.before = now;
    const { windowMs, containers } = this.last;
    this.totals = new Map(
      containers.map((one) => [nameOf(one), this.totalNanoSeconds(one) + (one.cpuNanoCores * windowMs) / 1000]),
    );
    return this.last;
  }

  totalNanoSeconds(container: ContainerUsage): number {
    return this.totals.get(nameOf(container)) ?? 0;
  }
}

function nameOf({ namespace, pod, container }: ContainerUsage): string {
  return `${namespace}/${pod}/${container}`;
}

/** A function of its arguments, for tests. */
export function usageBetween(before: UsageReading, now: UsageReading, idleBytes: number): NodeUsage {
  const windowMs = Math.max(1, now.atMs - before.atMs);
  const agentCpuUs = Math.max(0, now.agent.cpuUs - before.agent.cpuUs);
  const packetsBefore = new Map(before.pods.map(({ uid, packets }) => [uid, packets]));
  const packetsOf = (pod: MeteredPod): number => Math.max(0, pod.packets - (packetsBefore.get(pod.uid) ?? 0));
  const allPackets = now.pods.reduce((sum, pod) => sum + packetsOf(pod), 0);
  const emulated = now.pods.flatMap(({ containers }) => containers).filter(({ processes }) => processes === undefined);
  const sharedBytes = Math.max(0, now.agent.memoryBytes - idleBytes) / Math.max(1, emulated.length);
  const processesBefore = processUsages(before);

  const containers = now.pods.flatMap((pod) => {
    const packetUs = allPackets === 0 ? 0 : (agentCpuUs * packetsOf(pod)) / allPackets;
    return pod.containers.map((container): ContainerUsage => {
      const own = container.processes;
      const ownUs = own === undefined ? 0 : Math.max(0, own.cpuUs - (processesBefore.get(keyOf(pod, container)) ?? 0));
      return {
        namespace: container.namespace,
        pod: container.pod,
        container: container.container,
        cpuNanoCores: nanoCores(ownUs + packetUs / pod.containers.length, windowMs),
        memoryBytes: Math.round(own?.memoryBytes ?? sharedBytes),
      };
    });
  });
  return { atMs: now.atMs, windowMs, node: nodeUsage(before, now, windowMs), containers };
}

function nodeUsage(before: UsageReading, now: UsageReading, windowMs: number): Usage {
  const processesBefore = processUsages(before);
  let cpuUs = Math.max(0, now.agent.cpuUs - before.agent.cpuUs);
  let { memoryBytes } = now.agent;
  for (const pod of now.pods) {
    for (const container of pod.containers) {
      if (container.processes === undefined) continue;
      cpuUs += Math.max(0, container.processes.cpuUs - (processesBefore.get(keyOf(pod, container)) ?? 0));
      memoryBytes += container.processes.memoryBytes;
    }
  }
  return { cpuNanoCores: nanoCores(cpuUs, windowMs), memoryBytes };
}

function processUsages({ pods }: UsageReading): Map<string, number> {
  const entries = pods.flatMap((pod) =>
    pod.containers.map((container) => [keyOf(pod, container), container.processes?.cpuUs ?? 0] as const),
  );
  return new Map(entries);
}

/** A container that was started again counts from nothing. */
function keyOf({ uid }: MeteredPod, { container, startedAtMs }: MeteredContainer): string {
  return `${uid}/${container}/${startedAtMs}`;
}

function nanoCores(cpuUs: number, windowMs: number): number {
  return Math.round((cpuUs / windowMs) * 1_000_000);
}
