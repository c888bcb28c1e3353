/** WebSockets that send back what they are told. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Accepts upgrades on this path, ends the connection of others. The library is loaded with the first one. */
export function upgradeToEcho(path: string): UpgradeHandler {
  return (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (new URL(request.url ?? '/', 'http://pod').pathname !== path) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    void echoFrames(request, socket, head);
  };
}

async function echoFrames(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({ noServer: true });
  server.handleUpgrade(request, socket, head, (client) => {
    client.on('error', () => client.terminate());
    client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
  });
}
