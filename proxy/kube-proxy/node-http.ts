/** HTTP on the node's own addresses, in the emulated network: what load balancers and scrapers ask of a kube-proxy. */
import type { Server as HttpServer } from 'node:http';
import type { PodNetwork, PodTcpServer, PodTcpSocket } from '../../shared/podnet/pod-network.ts';

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

/** node:http is large, and most nodes' ports are never asked: it is loaded with the first connection. */
class LazyHttpServer implements NodeHttpServer {
  private readonly tcp: PodTcpServer;
  private readonly respond: HttpResponder;
  private readonly sockets = new Set<PodTcpSocket>();
  private http: Promise<HttpServer> | undefined;

  constructor(tcp: PodTcpServer, respond: HttpResponder) {
    this.tcp = tcp;
    this.respond = respond;
    tcp.on('connection', (socket: PodTcpSocket) => this.accept(socket));
  }

  async close(): Promise<void> {
    await this.tcp.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private accept(socket: PodTcpSocket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    this.http ??= this.createHttpServer();
    this.http.then(
      (http) => http.emit('connection', socket),
      () => socket.destroy(),
    );
  }

  private async createHttpServer(): Promise<HttpServer> {
    const { createServer } = await import('node:http');
    return createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://localhost').pathname;
      Promise.resolve()
        .then(() => this.respond(path))
        .catch((error: unknown) => ({ status: 500, headers: TEXT, body: `${String(error)}\n` }))
        .then(({ status, headers, body }) => response.writeHead(status, headers).end(body));
    });
  }
}

const TEXT = { 'Content-Type': 'text/plain; charset=utf-8' };
