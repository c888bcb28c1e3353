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
import { decodeTransaction } from '../../shared/rules/decode-transaction.ts';
import { encodeTransaction } from '../../shared/rules/encode-transaction.ts';
import type { Scheduler } from '../../shared/rules/ipvs.ts';
import type { ForgottenConnections } from '../../shared/rules/transaction.ts';
import { formatAddress, type IpFamily, parseAddress, parsePrefix } from '../../shared/wire/ip-address.ts';

export { PROXY_MODES, type ProxyMode };

export interface Backend {
  /** The third number is the node's. */
  readonly address: string;
  readonly port?: number;
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
  readonly zones?: readonly string[];
  readonly nodes?: readonly string[];
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

/** The same place of the test cluster in IPv6: fd00:10:244:1::5 for 10.244.1.5. */
export function inIpv6(address: string): string {
  const [a, b, c, d] = address.split('.');
  return a === '192' ? `fd00:192:168:1::${d}` : b === '96' ? `fd00:10:96::${c}:${d}` : `fd00:10:244:${c}::${d}`;
}

export interface ProxyOptions {
  /** `ipv4` by default; Services and backends are then taken for the same places in IPv6. */
  readonly family?: IpFamily;
  readonly zone?: string;
  readonly scheduler?: Scheduler;
}

/** kube-proxy of one node, without the bus. */
export class NodeProxy {
  readonly compiler: ModeCompiler;
  private readonly node: NodeDatapath;
  private readonly family: IpFamily;
  private generation: number | null = null;

  constructor(mode: ProxyMode, node: NodeDatapath, options: ProxyOptions = {}) {
    const { zone = '', scheduler = 'rr', family = 'ipv4' } = options;
    this.node = node;
    this.family = family;
    const isIpv4 = family === 'ipv4';
    const address = isIpv4 ? node.internalIp : parseAddress(inIpv6(formatAddress(node.internalIp)))!;
    this.compiler = compilers[mode]({
      family,
      node: { name: node.nodeName, zone, address },
      clusterCidr: parsePrefix(isIpv4 ? '10.244.0.0/16' : 'fd00:10:244::/56')!,
      serviceCidr: parsePrefix(isIpv4 ? '10.96.0.0/12' : 'fd00:10:96::/108')!,
      masqueradeAll: false,
      localhostNodePorts: true,
      scheduler,
      sha256: (text) => createHash('sha256').update(text).digest(),
    });
  }

  update(...services: readonly TestedService[]): void {
    for (const service of services) this.compiler.update(serviceState(service, this.family));
  }

  /** The bytes of what was sent; 0 when nothing changed. */
  sync(forget: readonly ForgottenConnections[] = []): number {
    const step = this.compiler.step(this.generation === null);
    if (step === undefined) return 0;
    const { family, generation: base, node } = this;
    const { bootId } = node;
    const message = encodeTransaction({ owner: 'kube-proxy', family, bootId, base, ...step.part, forget });
    const sent = JSON.stringify(message);
    const reply = node.applyRules(decodeTransaction(JSON.parse(sent)));
    if (reply.kind !== 'applied') throw new Error(JSON.stringify(reply));
    this.generation = reply.generation;
    step.applied();
    return sent.length;
  }
}

const named = (name: string): { name: string } => ({ name });

export function serviceState(tested: TestedService, family: IpFamily = 'ipv4'): ServiceState {
  const { name = 'web', spec, loadBalancerIps = [], backends } = family === 'ipv4' ? tested : serviceInIpv6(tested);
  const metadata = { name, namespace: 'default', uid: name, creationTimestamp: '', resourceVersion: '1' };
  const ingress = loadBalancerIps.map((ip) => ({ ip }));
  const service: Live<Service> = { metadata, spec, status: { loadBalancer: { ingress } } };
  const slice: Live<EndpointSlice> = {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': name } },
    addressType: family === 'ipv4' ? 'IPv4' : 'IPv6',
    ports: (spec.ports ?? []).map((port) => ({
      name: port.name ?? '',
      protocol: port.protocol ?? 'TCP',
      port: backends[0]?.port ?? 8080,
    })),
    endpoints: backends.map(
      ({ address, ready = true, serving = ready, terminating = false, zones = [], nodes = [] }) => ({
        addresses: [address],
        nodeName: `worker-${address.split(/[.:]+/)[family === 'ipv4' ? 2 : 3]}`,
        conditions: { ready, serving, terminating },
        hints: { forZones: zones.map(named), forNodes: nodes.map(named) },
      }),
    ),
  };
  return {
    key: `default/${name}`,
    ports: servicePorts(service, family).map((port) => ({
      port,
      endpoints: endpointsOfPort([slice], port.portName, port.protocol),
    })),
  };
}

function serviceInIpv6({ name, spec, loadBalancerIps = [], backends }: TestedService): TestedService {
  const clusterIP = inIpv6(spec.clusterIP ?? '');
  const externalIPs = (spec.externalIPs ?? []).map(inIpv6);
  return {
    name,
    spec: { ...spec, clusterIP, clusterIPs: [clusterIP], ipFamilies: ['IPv6'], externalIPs },
    loadBalancerIps: loadBalancerIps.map(inIpv6),
    backends: backends.map((backend) => ({ ...backend, address: inIpv6(backend.address) })),
  };
}
