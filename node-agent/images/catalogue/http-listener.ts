/** A listening HTTP port: it can end at once, or after the requests under way (a graceful shutdown). */
import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { UpgradeHandler } from './web-socket-echo.ts';

export class HttpListener {
  /** Stops listening and cuts what is open after `graceMs`; whoever opened the port sets it. */
  closer: (graceMs: number) => Promise<void> = async () => undefined;
  /** Where the server tells of upgrades; whoever opened the port sets it. */
  upgrades: EventEmitter | undefined;
  private readonly connections = new Set<Duplex>();
  private readonly responses = new Set<ServerResponse>();
  private closing = false;

  /** Takes over connections whose client asks for another protocol (WebSocket). */
  onUpgrade(handler: UpgradeHandler): void {
    this.upgrades?.on('upgrade', handler);
  }

  hasConnection(socket: Duplex): void {
    this.connections.add(socket);
    socket.once('close', () => this.connections.delete(socket));
  }

  hasRequest(response: ServerResponse): void {
    this.responses.add(response);
    if (this.closing) response.setHeader('Connection', 'close');
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
