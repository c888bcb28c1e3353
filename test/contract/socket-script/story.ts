/** What happens in one case of a socket script, told in words that do not depend on the transport: ports and times are left out. */
import type { EventEmitter } from 'node:events';
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net';

export const HOST = '127.0.0.1';

export class Story {
  /** Lines of each actor: what two of them do at a time has no order. */
  private readonly lines = new Map<string, string[]>();
  private readonly sockets: Socket[] = [];
  private readonly resources: { destroy?: () => unknown; close?: () => unknown }[] = [];

  tell(actor: string, what: unknown): void {
    const line = typeof what === 'string' ? what : JSON.stringify(what);
    const known = this.lines.get(actor);
    const text = line.replace(
      /(127\.0\.0\.1|::1|\[::1\]|::ffff:127\.0\.0\.1|::|"port":|localPort":|remotePort":)(:?)\d{4,5}/g,
      '$1$2PORT',
    );
    if (known === undefined) this.lines.set(actor, [text]);
    else known.push(text);
  }

  /** Tells of all events of a socket; the data is told of by its length when it is over. */
  watch<T extends Socket>(actor: string, socket: T, { data = true } = {}): T {
    let bytes = 0;
    let told = false;
    const sum = (): void => {
      if (!told && bytes > 0) this.tell(actor, `read ${bytes}`);
      told = true;
    };
    if (data) socket.on('data', (chunk: Buffer | string) => (bytes += chunk.length));
    for (const event of ['connect', 'ready', 'end', 'finish', 'timeout', 'secureConnect', 'lookup']) {
      socket.on(event, () => {
        if (event === 'end') sum();
        this.tell(actor, event);
      });
    }
    socket.on('error', (error) => this.tell(actor, describe(error)));
    socket.on('close', (hadError) => {
      sum();
      this.tell(
        actor,
        `close(${hadError}) read=${socket.bytesRead} written=${socket.bytesWritten} ${socket.readyState}`,
      );
    });
    this.sockets.push(socket);
    return this.own(socket);
  }

  own<T extends { destroy?: () => unknown; close?: () => unknown }>(resource: T): T {
    this.resources.push(resource);
    return resource;
  }

  /** A server that listens; `on` is called with each connection. */
  async serve(on: (socket: Socket) => void, options: object = {}): Promise<Server & { port: number }> {
    const server = createServer(options, on);
    this.own(server);
    await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
    return Object.assign(server, { port: (server.address() as AddressInfo).port });
  }

  connect(actor: string, port: number, options: Partial<NetConnectOpts> = {}, watched = {}): Socket {
    return this.watch(actor, connect({ port, host: HOST, ...options } as NetConnectOpts), watched);
  }

  /** Once the sockets that were watched are closed, or do not seem to come to it by themselves. */
  async end(): Promise<Record<string, string[]>> {
    await pause(30);
    const open = this.sockets.filter((socket) => !socket.closed);
    await Promise.race([Promise.all(open.map((socket) => once(socket, 'close'))), pause(300)]);
    for (const resource of this.resources) {
      try {
        if (resource.destroy !== undefined) resource.destroy();
        else resource.close?.();
      } catch {
        // It is closed already.
      }
    }
    return Object.fromEntries([...this.lines].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

export function describe(error: unknown): string {
  if (error === null || error === undefined) return String(error);
  const { name, message, code, errno, syscall, address, port } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  const facts = {
    name,
    message: message.replace(/^[0-9A-F]{16}:/, ''),
    code,
    errno,
    syscall,
    address,
    port: port === undefined ? undefined : 'PORT',
  };
  return `error ${JSON.stringify(facts)}`;
}

export function once(emitter: EventEmitter, event: string): Promise<unknown[]> {
  return new Promise((resolve) => emitter.once(event, (...values: unknown[]) => resolve(values)));
}

/** Over, if it is not by now. */
export function closed(socket: Socket): Promise<unknown> {
  return socket.closed ? Promise.resolve() : once(socket, 'close');
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export type Case = (story: Story) => Promise<void>;
