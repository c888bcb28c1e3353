/** A real TCP listener whose connections go on in the emulated network, half-closes and resets included. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { PodNetwork, PodTcpSocket } from '../../shared/podnet/pod-network.ts';
import { type BoundPort, bindOrMap } from './bind-socket.ts';
import type { Entrance } from './entrance.ts';

export interface OpenEntrance {
  readonly bound: BoundPort;
  close(): void;
}

export async function openTcpEntrance(entrance: Entrance, outside: PodNetwork): Promise<OpenEntrance> {
  const { realAddress, address, port } = entrance;
  const clients = new Set<Socket>();
  let server: Server | undefined;
  const bound = await bindOrMap(port, async (wanted) => {
    server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      clients.add(client);
      client.once('close', () => clients.delete(client));
      void carry(client, outside, address, port);
    });
    server.listen(wanted, realAddress);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port; // of a TCP server it is never a path
  });
  return {
    bound,
    close: () => {
      server?.close();
      for (const client of clients) client.resetAndDestroy();
    },
  };
}

/** A refusal comes after the handshake here, as a reset: the listener answers before the Service does. */
async function carry(client: Socket, outside: PodNetwork, host: string, port: number): Promise<void> {
  const attempt = new AbortController();
  const giveUp = (): void => attempt.abort();
  client.once('close', giveUp);
  client.once('error', giveUp);
  let inner: PodTcpSocket;
  try {
    inner = await outside.connectTcp({ host, port, allowHalfOpen: true }, attempt.signal);
  } catch {
    client.resetAndDestroy();
    return;
  }
  client.off('close', giveUp);
  client.off('error', giveUp);
  inner.setNoDelay(true);
  client.on('error', () => inner.resetAndDestroy());
  inner.on('error', () => client.resetAndDestroy());
  client.once('close', () => inner.destroy());
  inner.once('close', () => client.destroy());
  client.pipe(inner);
  inner.pipe(client);
}
