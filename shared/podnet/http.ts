/** Node's own HTTP server and client on a pod's sockets. */
import {
  Agent,
  type AgentOptions,
  type ClientRequest,
  createServer,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  request,
  type Server,
} from 'node:http';
import type { Duplex } from 'node:stream';
import type { PodNetwork, PodTcpSocket, SocketAddress } from './pod-network.ts';

export interface PodHttpServer {
  readonly http: Server;
  address(): SocketAddress;
  /** Stops listening and ends every connection, idle or not, after `graceMs` (0 by default). */
  close(graceMs?: number): Promise<void>;
}

/** Listens in the pod; rejects with EADDRINUSE when the port is taken. `allowHalfOpen` and back-pressure are Node's own. */
export async function listenHttp(
  network: PodNetwork,
  listen: { readonly port: number; readonly host?: string },
  handler: RequestListener,
): Promise<PodHttpServer> {
  const http = createServer(handler);
  const tcp = await network.listenTcp({ ...listen, allowHalfOpen: true });
  const sockets = new Set<PodTcpSocket>();
  tcp.on('connection', (socket: PodTcpSocket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    http.emit('connection', socket);
  });
  return {
    http,
    address: () => tcp.address(),
    close: async (graceMs = 0) => {
      await tcp.close();
      if (graceMs > 0 && sockets.size > 0) await allClosed(sockets, graceMs);
      for (const socket of sockets) socket.destroy();
    },
  };
}

function allClosed(sockets: ReadonlySet<PodTcpSocket>, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, graceMs);
    let open = sockets.size;
    for (const socket of sockets) {
      socket.once('close', () => {
        open -= 1;
        if (open > 0) return;
        clearTimeout(timer);
        resolve();
      });
    }
  });
}

export type PodRequestOptions = Omit<RequestOptions, 'agent' | 'createConnection'>;

/**
 * A request over an open connection. With an `agent`, even with `false`, Node ignores `createConnection` and connects over
 * the machine's own network: so none can be given here, and programs of pods make their requests by no other way.
 */
export function requestOver(
  connection: Duplex,
  options: PodRequestOptions,
  onResponse?: (response: IncomingMessage) => void,
): ClientRequest {
  return request({ ...options, agent: undefined, createConnection: () => connection }, onResponse);
}

/** A request over a connection that the agent opens in its pod. */
export function requestFrom(
  agent: PodHttpAgent,
  options: PodRequestOptions,
  onResponse?: (response: IncomingMessage) => void,
): ClientRequest {
  return request({ ...options, agent, createConnection: undefined }, onResponse);
}

export interface PodAgentOptions extends AgentOptions {
  readonly network: PodNetwork;
  /** Name to address; programs pass their resolver. */
  readonly lookup: (hostname: string) => Promise<string>;
  readonly localAddress?: string;
  readonly signal?: AbortSignal;
}

interface ConnectionTarget {
  readonly host?: string | null;
  readonly port?: string | number | null;
}

/** Opens connections through the pod's network, for `requestFrom`. */
export class PodHttpAgent extends Agent {
  private readonly pod: PodAgentOptions;

  constructor(options: PodAgentOptions) {
    super(options);
    this.pod = options;
  }

  override createConnection(target: ConnectionTarget, done?: (error: Error | null, stream: Duplex) => void): undefined {
    this.open(target).then(
      (socket) => done?.(null, socket),
      // Node ignores the stream when there is an error; its type wants one.
      (error: unknown) => done?.(error instanceof Error ? error : new Error(String(error)), undefined as never),
    );
    return undefined;
  }

  private async open(target: ConnectionTarget): Promise<PodTcpSocket> {
    const host = await this.pod.lookup(target.host ?? 'localhost');
    const { localAddress } = this.pod;
    return this.pod.network.connectTcp({ host, port: Number(target.port ?? 80), localAddress }, this.pod.signal);
  }
}
