/** Services as the API has them, compiled by a proxy mode for each node of a cluster in memory. */
import { createHash } from 'node:crypto';
import type { Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { NodeDatapath } from '../../node-agent/datapath/path.ts';
import { EbpfCompiler } from '../../proxy/kube-proxy/compile/ebpf/compiler.ts';
import { endpointsOfPort } from '../../proxy/kube-proxy/compile/endpoint.ts';
import { IptablesCompiler } from '../../proxy/kube-proxy/compile/iptables/compiler.ts';
import { IpvsCompiler } from '../../proxy/kube-proxy/compile/ipvs/compiler.ts';
import type { ModeCompiler } from '../../proxy/kube-proxy/compile/mode-compiler.ts';
import { NftablesCompiler } from '../../proxy/kube-proxy/compile/nftables/compiler.ts';
import type { ProxyContext } from '../../proxy/kube-proxy/compile/proxy-context.ts';
import { servicePorts } from '../../proxy/kube-proxy/compile/service-port.ts';
import type { ServiceState } from '../../proxy/kube-proxy/compile/service-state.ts';
import { PROXY_MODES, type ProxyMode } from '../../proxy/kube-proxy/modes/proxier.ts';
import type { Live } from '../../shared/api/live.ts';
import type { Scheduler } from '../../shared/rules/ipvs.ts';
import type { ForgottenConnections } from '../../shared/rules/transaction.ts';

export { PROXY_MODES, type ProxyMode };

export interface Backend {
  /** The third number is the node's. */
  readonly address: string;
  readonly port?: number;
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
  readonly zones?: readonly string[];
}

export interface TestedService {
  readonly name?: string;
  readonly spec: NonNullable<Service['spec']>;
  readonly loadBalancerIps?: readonly string[];
  readonly backends: readonly Backend[];
}

const compilers: Readonly<Record<ProxyMode, (context: ProxyContext) => ModeCompiler>> = {
  iptables: (context) => new IptablesCompiler(context),
  ipvs: (context) => new IpvsCompiler(context),
  nftables: (context) => new NftablesCompiler(context),
  ebpf: (context) => new EbpfCompiler(context),
};

export interface ProxyOptions {
  readonly zone?: string;
  readonly scheduler?: Scheduler;
}

/** kube-proxy of one node, without the bus. */
export class NodeProxy {
  readonly compiler: ModeCompiler;
  private readonly node: NodeDatapath;
  private generation: number | null = null;

  constructor(mode: ProxyMode, node: NodeDatapath, { zone = '', scheduler = 'rr' }: ProxyOptions = {}) {
    this.node = node;
    this.compiler = compilers[mode]({
      family: 'ipv4',
      node: { name: node.nodeName, zone, address: node.internalIp },
      clusterCidr: { address: 0x0af4_0000, prefixLength: 16 },
      serviceCidr: { address: 0x0a60_0000, prefixLength: 12 },
      masqueradeAll: false,
      localhostNodePorts: true,
      scheduler,
      sha256: (text) => createHash('sha256').update(text).digest(),
    });
  }

  update(...services: readonly TestedService[]): void {
    for (const service of services) this.compiler.update(serviceState(service));
  }

  /** The bytes of what was sent; 0 when nothing changed. */
  sync(forget: readonly ForgottenConnections[] = []): number {
    const step = this.compiler.step(this.generation === null);
    if (step === undefined) return 0;
    const { bootId } = this.node;
    const sent = JSON.stringify({ owner: 'kube-proxy', bootId, base: this.generation, ...step.part, forget });
    const reply = this.node.applyRules(JSON.parse(sent));
    if (reply.kind !== 'applied') throw new Error(JSON.stringify(reply));
    this.generation = reply.generation;
    step.applied();
    return sent.length;
  }
}

export function serviceState({ name = 'web', spec, loadBalancerIps = [], backends }: TestedService): ServiceState {
  const metadata = { name, namespace: 'default', uid: name, creationTimestamp: '', resourceVersion: '1' };
  const ingress = loadBalancerIps.map((ip) => ({ ip }));
  const service: Live<Service> = { metadata, spec, status: { loadBalancer: { ingress } } };
  const slice: Live<EndpointSlice> = {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: (spec.ports ?? []).map((port) => ({
      name: port.name ?? '',
      protocol: port.protocol ?? 'TCP',
      port: backends[0]?.port ?? 8080,
    })),
    endpoints: backends.map(({ address, ready = true, serving = ready, terminating = false, zones = [] }) => ({
      addresses: [address],
      nodeName: `worker-${address.split('.')[2]}`,
      conditions: { ready, serving, terminating },
      ...(zones.length === 0 ? {} : { hints: { forZones: zones.map((zone) => ({ name: zone })) } }),
    })),
  };
  return {
    key: `default/${name}`,
    ports: servicePorts(service, 'ipv4').map((port) => ({
      port,
      endpoints: endpointsOfPort([slice], port.portName, port.protocol),
    })),
  };
}
