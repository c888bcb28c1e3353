/** Turns an HTTP/1.1 connection into a WebSocket or a SPDY/3.1 connection. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { ApiError, badRequest } from '../../../shared/api/status.ts';
import { SpdyConnection } from './spdy/connection.ts';

const MAX_MESSAGE_BYTES = 1024 * 1024;
const PROTOCOL_HEADER = 'x-stream-protocol-version';

export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came after the request's head. */
  readonly head: Buffer;
}

export function upgradeKind(request: IncomingMessage): 'websocket' | 'spdy' {
  const upgrade = request.headers.upgrade?.toLowerCase() ?? '';
  if (upgrade === 'websocket') return 'websocket';
  if (upgrade === 'spdy/3.1') return 'spdy';
  throw badRequest(`unable to upgrade: "${upgrade}" is neither websocket nor SPDY/3.1`);
}

let webSocketServer: Promise<WebSocketServer> | undefined;

async function createWebSocketServer(): Promise<WebSocketServer> {
  const { WebSocketServer: Server } = await import('ws');
  return new Server({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered, request) => chosenProtocols.get(request) ?? [...offered][0] ?? false,
  });
}

/** What was negotiated before the handshake, which answers with it. */
const chosenProtocols = new WeakMap<IncomingMessage, string>();

/**
 * Accepts a WebSocket with the first subprotocol that both sides have. A client that offers none gets the oldest, without
 * being told. `adopt` is called before the first message can arrive. Throws BadRequest when nothing fits.
 */
export async function acceptWebSocket<T>(
  { request, socket, head }: UpgradeRequest,
  supported: readonly string[],
  adopt: (socket: WebSocket) => T,
): Promise<T> {
  const offered = listHeader(request.headers['sec-websocket-protocol']);
  const protocol = offered.find((name) => supported.includes(name));
  if (protocol === undefined && offered.length > 0) {
    throw badRequest(`none of the subprotocols ${offered.join(', ')} is spoken here: ${supported.join(', ')}`);
  }
  if (protocol !== undefined) chosenProtocols.set(request, protocol);
  webSocketServer ??= createWebSocketServer();
  const server = await webSocketServer;
  return new Promise((resolve) => server.handleUpgrade(request, socket, head, (accepted) => resolve(adopt(accepted))));
}

export function offeredProtocols(request: IncomingMessage): string[] {
  return listHeader(request.headers['sec-websocket-protocol']);
}

export interface SpdyHandshake {
  readonly connection: SpdyConnection;
  /** Empty when the client named none. */
  readonly protocol: string;
}

/** Throws Forbidden, as the original does, when the protocols have none in common. */
export function acceptSpdy({ request, socket, head }: UpgradeRequest, supported: readonly string[]): SpdyHandshake {
  const offered = listHeader(request.headers[PROTOCOL_HEADER]);
  const protocol = offered.find((name) => supported.includes(name));
  if (protocol === undefined && offered.length > 0) {
    throw new ApiError(
      403,
      'Forbidden',
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${supported.join(' ')}]`,
    );
  }
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: SPDY/3.1'];
  if (protocol !== undefined) lines.push(`X-Stream-Protocol-Version: ${protocol}`);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const connection = new SpdyConnection(socket);
  if (head.length > 0) connection.receive(head);
  return { connection, protocol: protocol ?? '' };
}

function listHeader(value: string | string[] | undefined): string[] {
  const text = Array.isArray(value) ? value.join(',') : (value ?? '');
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
