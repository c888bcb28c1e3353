/** The listeners of cilium's proxy, one in each of its namespaces: a connection goes to the part that its rules ask for. */
import type { PodNetwork, PodTcpServer, PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import type { CiliumProxy } from '../../../datapath/cilium/cilium-proxy.ts';
import type { DnsGate } from '../../../datapath/cilium/dns-gate.ts';
import type { FlowLog } from '../../../datapath/cilium/flow-log.ts';
import { PROXY_PORT } from '../../../datapath/cilium/proxy-namespace.ts';
import type { PolicyEngine } from '../../../datapath/policy/policy-engine.ts';
import type { PolicySide } from '../../../datapath/policy/policy-proxy.ts';
import { DnsTcpProxy } from './dns-tcp-proxy.ts';
import type { HttpProxy } from './http-proxy.ts';
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
  /** With its library of expressions; loaded when a connection first asks for it. */
  private http: Promise<HttpProxy> | undefined;
  private readonly dns: DnsTcpProxy;

  constructor(options: ProxyServerOptions) {
    const { gate, inTurn } = options;
    this.options = options;
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
    else void this.acceptHttp(connection);
  }

  private async acceptHttp(connection: ProxiedConnection): Promise<void> {
    const { flows, inTurn } = this.options;
    this.http ??= import('./http-proxy.ts').then((module) => new module.HttpProxy(flows, inTurn));
    const http = await this.http;
    if (!connection.socket.destroyed) http.accept(connection);
  }
}
