/** eBPF mode: the frontends of every Service, and what of them a node has to be told. */
import type { BpfBackend, BpfService, BpfServiceType } from '../../../../shared/rules/bpf.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Item, ItemStore } from '../item-store.ts';
import type { ModeCompiler, Step } from '../mode-compiler.ts';
import { decidePort } from '../port-decision.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { ServicePort } from '../service-port.ts';
import type { ServiceState } from '../service-state.ts';

interface BpfItem extends Item {
  readonly service: BpfService;
}

export class EbpfCompiler implements ModeCompiler {
  private readonly context: ProxyContext;
  private readonly items = new ItemStore<BpfItem>();

  constructor(context: ProxyContext) {
    this.context = context;
  }

  update({ key, ports }: ServiceState): void {
    this.items.replace(
      key,
      ports.flatMap(({ port, endpoints }) => compileBpfPort(port, endpoints, this.context)),
    );
  }

  step(whole: boolean): Step | undefined {
    const { set, gone } = whole ? { set: this.items.all(), gone: [] } : this.items.changes();
    if (!whole && set.length === 0 && gone.length === 0) return undefined;
    const bpf = {
      set: set.map(({ service }) => service),
      delete: gone.map(({ service: { protocol, address, port } }) => ({ protocol, address, port })),
    };
    return { part: { tables: {}, bpf }, applied: () => this.items.settle() };
  }

  /** There are none: maps take the place of rules. */
  ruleCounts(): { readonly nat: number; readonly filter: number } {
    return { nat: 0, filter: 0 };
  }
}

/** None for SCTP, which nodes do not speak. */
function compileBpfPort(port: ServicePort, endpoints: readonly Endpoint[], context: ProxyContext): BpfItem[] {
  const { protocol } = port;
  if (protocol === 'sctp') return [];
  const { choice } = decidePort(port, endpoints, context);
  const cluster = backendsOf(choice.cluster);
  const local = backendsOf(choice.local);
  const ranges = port.loadBalancerSourceRanges;
  const outer = { internal: cluster, external: port.externalPolicyLocal ? local : cluster };
  const inner = port.internalPolicyLocal ? local : cluster;
  const frontend = (type: BpfServiceType, address: number, at: number): BpfItem => ({
    id: `${protocol} ${address} ${at}`,
    service: {
      protocol,
      address,
      port: at,
      type,
      ...(type === 'ClusterIP' ? { internal: inner, external: inner } : outer),
      ...(port.affinitySeconds === undefined ? {} : { affinitySeconds: port.affinitySeconds }),
      ...(type === 'LoadBalancer' && ranges.length > 0 ? { sourceRanges: ranges } : {}),
    },
  });
  return [
    frontend('ClusterIP', port.clusterIp, port.port),
    ...port.externalIps.map((address) => frontend('ExternalIPs', address, port.port)),
    ...port.loadBalancerIps.map((address) => frontend('LoadBalancer', address, port.port)),
    ...(port.nodePort === 0 ? [] : [frontend('NodePort', 0, port.nodePort)]),
  ];
}

function backendsOf(endpoints: readonly Endpoint[]): BpfBackend[] {
  return endpoints.map(({ address, port }) => ({ address, port }));
}
