/**
 * Port-forward in its three dialects, each connection a stream of its own to the node:
 *
 *   SPDY/3.1                      a pair of streams (`error`, `data`) for each connection, joined by `requestid`
 *   SPDY/3.1 inside a WebSocket   the same, `SPDY/3.1+portforward.k8s.io`
 *   channels over WebSocket       one connection for each of the query's `ports`, channels 2i (data) and 2i + 1 (error)
 */
import { badRequest } from '../../../shared/api/status.ts';
import type { ChannelStream } from '../../../shared/bus/stream.ts';
import { STREAM_CHANNEL } from '../../../shared/bus/subjects.ts';
import type { ClientChannels } from './client-channels.ts';
import { type StreamOpener, sendUnlessClosed, streamError } from './node-streams.ts';
import type { PodTarget } from './pod-target.ts';
import type { SpdyConnection, SpdyStream } from './spdy/connection.ts';

export const SPDY_PROTOCOL = 'portforward.k8s.io';
export const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';
/** A client that opened one stream of a pair opens the other at once. */
const PAIR_TIMEOUT_MS = 30_000;
const MAX_WEB_SOCKET_PORTS = 64;

interface StreamPair {
  data?: SpdyStream;
  error?: SpdyStream;
  timer?: NodeJS.Timeout;
}

export function forwardOverSpdy(connection: SpdyConnection, target: PodTarget, open: StreamOpener): void {
  const pairs = new Map<string, StreamPair>();
  connection.onStream = (stream) => {
    const { streamtype, port = '' } = stream.headers;
    if (parsePort(port) === undefined || (streamtype !== 'data' && streamtype !== 'error')) {
      stream.reset();
      return;
    }
    // Clients without request ids open a pair one after the other: error is n, data n + 2.
    const id = stream.headers.requestid ?? String(streamtype === 'error' ? stream.id : stream.id - 2);
    const pair = pairs.get(id) ?? {};
    pair[streamtype] = stream;
    if (pair.data === undefined || pair.error === undefined) {
      pairs.set(id, pair);
      pair.timer = setTimeout(() => abandon(pairs, id), PAIR_TIMEOUT_MS);
      return;
    }
    clearTimeout(pair.timer);
    pairs.delete(id);
    void forwardPair(pair.data, pair.error, target, open);
  };
  connection.onClose = () => {
    for (const { timer } of pairs.values()) clearTimeout(timer);
  };
}

function abandon(pairs: Map<string, StreamPair>, id: string): void {
  const pair = pairs.get(id);
  pairs.delete(id);
  pair?.data?.reset();
  pair?.error?.reset();
}

async function forwardPair(data: SpdyStream, error: SpdyStream, target: PodTarget, open: StreamOpener): Promise<void> {
  const connection = new ForwardedConnection(open, target, parsePort(data.headers.port ?? '')!);
  // Nothing of what the client sends meanwhile is lost: the SPDY connection waits.
  data.onData = (bytes) => connection.send(bytes);
  data.onEnd = () => connection.end();
  data.onReset = () => connection.close();
  const failure = await connection.run(
    (bytes) => data.write(bytes),
    () => data.end(),
  );
  if (failure !== undefined) await error.write(Buffer.from(failure));
  data.end();
  error.end();
}

type Opened = { readonly stream: ChannelStream } | { readonly failure: string };

/** One connection to a port of the pod. */
class ForwardedConnection {
  private readonly opened: Promise<Opened>;

  constructor(open: StreamOpener, { namespace, name: pod, node }: PodTarget, port: number) {
    this.opened = open(node, { kind: 'port-forward', namespace, pod, port }).then(
      (stream) => ({ stream }),
      (error: unknown) => ({
        failure: `error forwarding port ${port} to pod ${pod}: ${streamError(error, node).message}`,
      }),
    );
  }

  async send(bytes: Uint8Array): Promise<void> {
    const opened = await this.opened;
    if ('stream' in opened) await sendUnlessClosed(opened.stream, STREAM_CHANNEL.data, bytes);
  }

  end(): void {
    void this.opened.then((opened) => 'stream' in opened && opened.stream.end(STREAM_CHANNEL.data));
  }

  close(): void {
    void this.opened.then((opened) => 'stream' in opened && opened.stream.close());
  }

  /** Passes the pod's bytes on until the connection is closed; resolves to what went wrong. */
  async run(write: (bytes: Uint8Array) => Promise<void>, end: () => void): Promise<string | undefined> {
    const opened = await this.opened;
    return 'stream' in opened ? joinForward(opened.stream, write, end) : opened.failure;
  }
}

async function joinForward(
  stream: ChannelStream,
  write: (bytes: Uint8Array) => Promise<void>,
  end: () => void,
): Promise<string | undefined> {
  let told = '';
  stream.onData((channel, bytes) => {
    if (channel === STREAM_CHANNEL.data) return write(bytes);
    told += Buffer.from(bytes).toString('utf8');
    return undefined;
  });
  stream.onEnd((channel) => {
    if (channel === STREAM_CHANNEL.data) end();
  });
  const error = await stream.closed;
  return told !== '' ? told : error?.message;
}

/** Throws BadRequest when the query names no ports. */
export function forwardedPorts(query: URLSearchParams): number[] {
  const texts = query.getAll('ports').flatMap((value) => value.split(','));
  const ports = texts.map((text) => {
    const port = parsePort(text);
    if (port === undefined) throw badRequest(`unable to parse "${text}" as a port`);
    return port;
  });
  if (ports.length === 0) throw badRequest('query parameter "ports" is required');
  if (ports.length > MAX_WEB_SOCKET_PORTS)
    throw badRequest(`at most ${MAX_WEB_SOCKET_PORTS} ports can be forwarded at once`);
  return ports;
}

export async function forwardOverChannels(
  client: ClientChannels,
  ports: readonly number[],
  target: PodTarget,
  open: StreamOpener,
): Promise<void> {
  const connections = ports.map((port) => new ForwardedConnection(open, target, port));
  client.onData = (channel, bytes) => (channel % 2 === 0 ? connections[channel / 2]?.send(bytes) : undefined);
  client.onEnd = (channel) => (channel % 2 === 0 ? connections[channel / 2]?.end() : undefined);
  client.onClose = () => {
    for (const connection of connections) connection.close();
  };
  client.start();
  await Promise.all(ports.map((port, i) => forwardChannelPair(client, connections[i]!, i * 2, port)));
  client.close();
}

async function forwardChannelPair(
  client: ClientChannels,
  connection: ForwardedConnection,
  dataChannel: number,
  port: number,
): Promise<void> {
  const portBytes = Buffer.alloc(2);
  portBytes.writeUInt16LE(port);
  await client.send(dataChannel, portBytes);
  await client.send(dataChannel + 1, portBytes);
  const failure = await connection.run(
    (bytes) => client.send(dataChannel, bytes),
    () => client.end(dataChannel),
  );
  if (failure !== undefined) await client.send(dataChannel + 1, Buffer.from(failure));
}

function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}
