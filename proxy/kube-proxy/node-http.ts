/** HTTP on the node's own addresses, in the emulated network: what load balancers and scrapers ask of a kube-proxy. */
import type { PodNetwork, PodTcpServer, PodTcpSocket } from '../../shared/podnet/pod-network.ts';
import { LazyHttp } from '../../shared/runtime/lazy-http.ts';

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a path is answered with. */
export type HttpResponder = (path: string) => HttpReply | Promise<HttpReply>;

export interface NodeHttpServer {
  close(): Promise<void>;
}

export class NodeHttp {
  private readonly connect: () => Promise<PodNetwork>;
  private network: Promise<PodNetwork> | undefined;

  /** `connect` opens the node's network, with the first port that somebody wants. */
  constructor(connect: () => Promise<PodNetwork>) {
    this.connect = connect;
  }

  /** Rejects when the port is taken. */
  async listen(
    listen: { readonly port: number; readonly host?: string },
    respond: HttpResponder,
  ): Promise<NodeHttpServer> {
    this.network ??= this.connect();
    const network = await this.network;
    return new LazyHttpServer(await network.listenTcp({ ...listen, allowHalfOpen: true }), respond);
  }

  async close(): Promise<void> {
    const network = await this.network;
    network?.close();
  }
}

class LazyHttpServer implements NodeHttpServer {
  private readonly tcp: PodTcpServer;
  private readonly http: LazyHttp;

  constructor(tcp: PodTcpServer, respond: HttpResponder) {
    this.tcp = tcp;
    this.http = new LazyHttp((path, response) => {
      Promise.resolve()
        .then(() => respond(path))
        .catch((error: unknown) => ({ status: 500, headers: TEXT, body: `${String(error)}\n` }))
        .then(({ status, headers, body }) => response.writeHead(status, headers).end(body));
    });
    tcp.on('connection', (socket: PodTcpSocket) => this.http.accept(socket));
  }

  async close(): Promise<void> {
    await this.tcp.close();
    this.http.destroy();
  }
}

const TEXT = { 'Content-Type': 'text/plain; charset=utf-8' };
