/** A listening HTTP port: it can end at once, or after the requests under way (a graceful shutdown). */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export class HttpListener {
  /** Stops listening and cuts what is open after `graceMs`; whoever opened the port sets it. */
  closer: (graceMs: number) => Promise<void> = async () => undefined;
  private readonly connections = new Set<Duplex>();
  private readonly responses = new Set<ServerResponse>();
  private closing = false;

  hasConnection(socket: Duplex): void {
    this.connections.add(socket);
    socket.once('close', () => this.connections.delete(socket));
  }

  hasRequest(response: ServerResponse): void {
    this.responses.add(response);
    if (this.closing) response.setHeader('connection', 'close');
    response.once('close', () => {
      this.responses.delete(response);
      this.dropIdle();
    });
  }

  /** Resolves once nothing is open any more; a kept-alive connection without a request does not hold it up. */
  async close(graceMs = 0): Promise<void> {
    this.closing = true;
    const released = this.closer(graceMs);
    this.dropIdle();
    await released;
  }

  private dropIdle(): void {
    if (!this.closing || this.responses.size > 0) return;
    for (const socket of this.connections) socket.end();
  }
}
