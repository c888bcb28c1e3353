/**
 * An HTTP server for connections that are handed to it. `node:http` (15 MB resident) is loaded with the first of them: most ports
 * of a small cluster are never asked.
 */
import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Answers a request for the path, without its query. */
export type PathHandler = (path: string, response: ServerResponse) => void;

export class LazyHttp {
  private readonly handle: PathHandler;
  private readonly sockets = new Set<Duplex>();
  private server: Promise<Server> | undefined;

  constructor(handle: PathHandler) {
    this.handle = handle;
  }

  accept(socket: Duplex): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    this.server ??= this.createServer();
    this.server.then(
      (server) => server.emit('connection', socket),
      () => socket.destroy(),
    );
  }

  /** Ends every connection. */
  destroy(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private async createServer(): Promise<Server> {
    const { createServer } = await import('node:http');
    return createServer((request, response) => {
      this.handle(new URL(request.url ?? '/', 'http://localhost').pathname, response);
    });
  }
}
