/** What a node counts, for /metrics. */

import type { LinkFault } from '../../shared/rules/link-fault.ts';
import type { Metrics } from '../../shared/runtime/metrics.ts';
import type { NodeKernel } from '../kernel.ts';
import type { PodManager } from '../pods/pod-manager.ts';

export function registerMetrics(metrics: Metrics, { datapath, link, memory }: NodeKernel, pods: PodManager): void {
  metrics.register({
    name: 'kubelet_running_pods',
    help: 'Pods this node looks after.',
    type: 'gauge',
    collect: () => pods.podCount,
  });
  metrics.register({
    name: 'kubelet_running_containers',
    help: 'Containers that run.',
    type: 'gauge',
    collect: () => pods.containerCount,
  });
  metrics.register({
    name: 'podwire_link_datagrams_total',
    help: 'VXLAN datagrams over the real socket, by direction.',
    type: 'counter',
    labelNames: ['direction'],
    collect: () => [
      { labels: { direction: 'received' }, value: link.counters.datagramsReceived },
      { labels: { direction: 'sent' }, value: link.counters.datagramsSent },
    ],
  });
  metrics.register({
    name: 'podwire_link_errors_total',
    help: 'Datagrams that could not be sent or taken, by reason.',
    type: 'counter',
    labelNames: ['reason'],
    collect: () => {
      const { sendErrors, sendOverflows, foreignSenders, receiveDrops } = link.counters;
      const { lostSegments } = datapath.underlay;
      const reasons = { sendErrors, sendOverflows, foreignSenders, receiveDrops, lostSegments };
      return Object.entries(reasons).map(([reason, value]) => ({
        labels: { reason },
        value,
      }));
    },
  });
  metrics.register({
    name: 'podwire_link_fault_packets_total',
    help: 'Packets at links with faults, by what became of them; a link without faults has no row.',
    type: 'counter',
    labelNames: ['from', 'to', 'outcome'],
    collect: () => datapath.faults.list().flatMap(faultRows),
  });
  metrics.register({
    name: 'podwire_link_kernel_drops_total',
    help: "Datagrams the kernel dropped because the socket's receive buffer was full.",
    type: 'counter',
    collect: () => link.kernelDrops.count(),
  });
  metrics.register({
    name: 'podwire_root_drops_total',
    help: "Packets dropped by the node's own stack, by reason.",
    type: 'counter',
    labelNames: ['reason'],
    collect: () => [...datapath.root.drops].map(([reason, value]) => ({ labels: { reason }, value })),
  });
  metrics.register({
    name: 'podwire_conntrack_entries',
    help: 'Connections tracked.',
    type: 'gauge',
    collect: () => datapath.conntrack.table.size,
  });
  metrics.register({
    name: 'podwire_packet_memory_in_use',
    help: 'Slots of packet memory in use.',
    type: 'gauge',
    collect: () => memory.inUse,
  });
}

function faultRows({ from, to, counters }: LinkFault) {
  const { dropped, waiting: _, ...outcomes } = counters;
  return Object.entries({ ...outcomes, ...dropped }).map(([outcome, value]) => ({
    labels: { from, to, outcome },
    value,
  }));
}
