/**
 * The health check of gRPC (grpc.io, "Health Checking"; framing by "gRPC over HTTP/2"): one unary call of
 * `grpc.health.v1.Health/Check`, its question by a client and its answer by a server.
 */
import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import protobuf from 'protobufjs/minimal.js';

const CHECK_PATH = '/grpc.health.v1.Health/Check';
const CONTENT_TYPE = 'application/grpc';
/** A flag (compressed or not) and the length before each message. */
const FRAME_HEADER_BYTES = 5;
/** Of both messages the only field. */
const FIELD = 1;
const SERVING_STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

export type ServingStatus = (typeof SERVING_STATUSES)[number];

/** Status codes of gRPC that a health check meets. */
export const GRPC_OK = 0;
export const GRPC_NOT_FOUND = 5;
export const GRPC_UNIMPLEMENTED = 12;

export interface HealthAnswer {
  /** Status code of gRPC. */
  readonly code: number;
  readonly message: string;
  /** With code 0. */
  readonly status?: ServingStatus;
}

/** Asks over an open connection, which is closed afterwards. Rejects when it breaks, or when the signal aborts. */
export function askHealth(
  connection: Duplex,
  authority: string,
  service: string,
  signal: AbortSignal,
): Promise<HealthAnswer> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${authority}`, { createConnection: () => connection });
    const fail = (error: Error): void => {
      session.destroy();
      connection.destroy();
      reject(error);
    };
    session.once('error', fail);
    const stream = session.request(
      {
        ':method': 'POST',
        ':path': CHECK_PATH,
        'content-type': CONTENT_TYPE,
        'user-agent': 'kube-probe/1.32 grpc-go/1.65.0',
        te: 'trailers',
      },
      { signal },
    );
    const chunks: Buffer[] = [];
    let outcome: IncomingHttpHeaders = {};
    stream.once('response', (headers) => {
      outcome = headers;
    });
    stream.once('trailers', (trailers) => {
      outcome = trailers;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('error', fail);
    stream.once('close', () => {
      session.close();
      connection.destroy();
      resolve(answerOf(outcome, Buffer.concat(chunks)));
    });
    stream.end(framed(protobuf.Writer.create().uint32(tag(LENGTH_DELIMITED)).string(service).finish()));
  });
}

function answerOf(headers: IncomingHttpHeaders, body: Buffer): HealthAnswer {
  const code = Number(headers['grpc-status'] ?? Number.NaN);
  const message = String(headers['grpc-message'] ?? '');
  if (Number.isNaN(code)) return { code: GRPC_UNIMPLEMENTED, message: 'the answer is not one of gRPC' };
  if (code !== GRPC_OK) return { code, message: decodeURIComponent(message) };
  return { code, message, status: SERVING_STATUSES[fieldOf(body, (reader) => reader.int32()) ?? 0] ?? 'UNKNOWN' };
}

/** Serves health checks on connections that are handed to it; undefined for a service that it does not know. */
export function healthServer(statusOf: (service: string) => ServingStatus | undefined): (connection: Duplex) => void {
  const server = createServer();
  server.on('sessionError', () => undefined); // a client that breaks off ends its own session alone
  server.on('stream', (stream, headers) => {
    stream.on('error', () => stream.destroy());
    if (headers[':path'] !== CHECK_PATH) {
      refuse(stream, GRPC_UNIMPLEMENTED, `unknown method ${String(headers[':path'])}`);
      return;
    }
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => {
      const service = fieldOf(Buffer.concat(chunks), (reader) => reader.string()) ?? '';
      const status = statusOf(service);
      if (status === undefined) refuse(stream, GRPC_NOT_FOUND, `unknown service: ${service}`);
      else answer(stream, status);
    });
  });
  return (connection) => void server.emit('connection', connection);
}

function refuse(stream: ServerHttp2Stream, code: number, message: string): void {
  const headers = { ':status': 200, 'content-type': CONTENT_TYPE, 'grpc-status': String(code) };
  stream.respond({ ...headers, 'grpc-message': encodeURIComponent(message) }, { endStream: true });
}

function answer(stream: ServerHttp2Stream, status: ServingStatus): void {
  stream.respond({ ':status': 200, 'content-type': CONTENT_TYPE }, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(GRPC_OK) }));
  stream.end(framed(protobuf.Writer.create().uint32(tag(VARINT)).int32(SERVING_STATUSES.indexOf(status)).finish()));
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;

function tag(wireType: number): number {
  return (FIELD << 3) | wireType;
}

function framed(message: Uint8Array): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** The field of a framed message; undefined where it is left out, as a default is, or where the frame is broken. */
function fieldOf<T>(frame: Buffer, read: (reader: protobuf.Reader) => T): T | undefined {
  const reader = protobuf.Reader.create(frame.subarray(FRAME_HEADER_BYTES));
  try {
    while (reader.pos < reader.len) {
      const key = reader.uint32();
      if (key >>> 3 === FIELD) return read(reader);
      reader.skipType(key & 7);
    }
  } catch (error) {
    if (!(error instanceof RangeError) && !(error instanceof Error && error.message.startsWith('invalid'))) throw error;
  }
  return undefined;
}
