/** The listeners of cilium's proxy, one in each of its namespaces: a connection goes to the part that its rules ask for, or itself. */
import type { PodNetwork, PodTcpServer, PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import type { CiliumProxy } from '../../../datapath/cilium/cilium-proxy.ts';
import type { DnsGate } from '../../../datapath/cilium/dns-gate.ts';
import type { FlowLog } from '../../../datapath/cilium/flow-log.ts';
import { PROXY_PORT } from '../../../datapath/cilium/proxy-namespace.ts';
import type { PolicyEngine } from '../../../datapath/policy/policy-engine.ts';
import type { PolicySide } from '../../../datapath/policy/policy-proxy.ts';
import { DnsTcpProxy } from './dns-tcp-proxy.ts';
import type { HttpLog } from './http-exchange.ts';
import type { HttpProxy } from './http-proxy.ts';
import { httpVersionOf } from './http-version.ts';
import type { Http2Proxy } from './http2-proxy.ts';
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
  /** Loaded when a connection first asks for it, with the library of expressions. */
  private readonly http: () => Promise<HttpProxy>;
  private readonly http2: () => Promise<Http2Proxy>;
  private readonly dns: DnsTcpProxy;

  constructor(options: ProxyServerOptions) {
    const { gate, flows, inTurn } = options;
    this.options = options;
    const log: HttpLog = (ends, flow, drop) => inTurn(() => flows.addL7(ends, flow, drop));
    this.http = once(async () => new (await import('./http-proxy.ts')).HttpProxy(log));
    this.http2 = once(async () => new (await import('./http2-proxy.ts')).Http2Proxy(log));
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
    const version = await httpVersionOf(connection.socket);
    if (version === undefined) {
      connection.socket.destroySoon();
      return;
    }
    const proxy = await (version === 1 ? this.http() : this.http2());
    if (!connection.socket.destroyed) proxy.accept(connection);
  }
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
