/** The listeners of cilium's proxy, one in each of its namespaces: a connection goes to the part that its rules ask for. */
import type { PodNetwork, PodTcpServer, PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import type { CiliumProxy } from '../../../datapath/cilium/cilium-proxy.ts';
import type { DnsGate } from '../../../datapath/cilium/dns-gate.ts';
import type { FlowLog } from '../../../datapath/cilium/flow-log.ts';
import { PROXY_PORT } from '../../../datapath/cilium/proxy-namespace.ts';
import type { PolicyEngine } from '../../../datapath/policy/policy-engine.ts';
import type { PolicySide } from '../../../datapath/policy/policy-proxy.ts';
import { DnsTcpProxy } from './dns-tcp-proxy.ts';
import { HttpProxy } from './http-proxy.ts';
import { ProxiedConnection } from './proxied-connection.ts';

const DNS_PORT = 53;

export interface ProxyServerOptions {
  readonly proxy: CiliumProxy;
  readonly gate: DnsGate;
  readonly flows: FlowLog;
  readonly policy: PolicyEngine;
  readonly networkOf: (host: CiliumProxy['namespaces'][PolicySide]['host']) => PodNetwork;
  readonly inTurn: (call: () => void) => void;
}

export class ProxyServer {
  private readonly options: ProxyServerOptions;
  private readonly http: HttpProxy;
  private readonly dns: DnsTcpProxy;

  constructor(options: ProxyServerOptions) {
    const { gate, flows, inTurn } = options;
    this.options = options;
    this.http = new HttpProxy(flows, inTurn);
    this.dns = new DnsTcpProxy(gate, inTurn);
  }

  /** Resolves once connections are taken on both sides. */
  async start(): Promise<void> {
    await Promise.all((['egress', 'ingress'] as const).map((side) => this.listen(side)));
  }

  private async listen(side: PolicySide): Promise<PodTcpServer> {
    const { proxy, networkOf } = this.options;
    const network = networkOf(proxy.namespaces[side].host);
    const server = await network.listenTcp({ port: PROXY_PORT, allowHalfOpen: true });
    server.on('connection', (socket: PodTcpSocket) => this.accept(side, network, socket));
    return server;
  }

  private accept(side: PolicySide, network: PodNetwork, socket: PodTcpSocket): void {
    const connection = new ProxiedConnection({ side, network, socket, policy: this.options.policy });
    const kind = connection.decision()?.kind ?? (connection.ends.serverPort === DNS_PORT ? 'dns' : 'http');
    if (kind === 'dns') void this.dns.accept(connection);
    else this.http.accept(connection);
  }
}
