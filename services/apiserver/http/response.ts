/** Writes answers: objects, lists, Tables and Statuses, as JSON or YAML, compressed when that pays. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import type { KubeObject } from '../../../shared/api/object.ts';
import { ApiError, internalError } from '../../../shared/api/status.ts';
import type { Encoding } from './negotiation.ts';
import { listTexts, objectText } from './object-text.ts';

/** The original compresses from this size on (`APIResponseCompression`). */
const GZIP_FROM_BYTES = 128 * 1024;
const GZIP_LEVEL = 1;
/** A client that takes nothing for so long is given up. */
const SLOW_READER_MS = 60_000;
const MEDIA_TYPES: Readonly<Record<Encoding, string>> = { json: 'application/json', yaml: 'application/yaml' };

export interface Reply {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly encoding: Encoding;
  /** Indented, for people. */
  readonly pretty: boolean;
}

export async function sendBody(reply: Reply, code: number, body: unknown): Promise<void> {
  await sendText(reply, code, MEDIA_TYPES[reply.encoding], await encodeBody(body, reply));
}

/** A whole object that does not change any more: its text is shared. */
export async function sendObject(reply: Reply, code: number, object: KubeObject): Promise<void> {
  if (isPlainJson(reply)) await sendText(reply, code, MEDIA_TYPES.json, `${objectText(object)}\n`);
  else await sendBody(reply, code, object);
}

/** A list of whole objects; a long one goes out as the client takes it. `head` is the list without its items. */
export async function sendList(reply: Reply, head: object, items: readonly KubeObject[]): Promise<void> {
  if (!isPlainJson(reply)) return sendBody(reply, 200, { ...head, items });
  const pieces = listTexts(head, items);
  const { value: first = '' } = pieces.next();
  if (items.length === 0 || first.endsWith(']}\n')) return sendText(reply, 200, MEDIA_TYPES.json, first);
  await sendPieces(reply, first, pieces);
}

function isPlainJson({ encoding, pretty, request }: Reply): boolean {
  return encoding === 'json' && !pretty && request.method !== 'HEAD';
}

async function sendPieces({ request, response }: Reply, first: string, rest: Iterable<string>): Promise<void> {
  response.setHeader('Content-Type', MEDIA_TYPES.json);
  response.setHeader('Cache-Control', 'no-cache, private');
  response.setTimeout(SLOW_READER_MS, () => response.destroy());
  const pieces = Readable.from(prepended(first, rest), { objectMode: false });
  if (!acceptsGzip(request)) {
    await pipeline(pieces, response);
    return;
  }
  const zlib = await import('node:zlib');
  response.setHeader('Content-Encoding', 'gzip');
  response.setHeader('Vary', 'Accept-Encoding');
  await pipeline(pieces, zlib.createGzip({ level: GZIP_LEVEL }), response);
}

function* prepended(first: string, rest: Iterable<string>): Generator<Buffer> {
  yield Buffer.from(first, 'utf8');
  for (const piece of rest) yield Buffer.from(piece, 'utf8');
}

function acceptsGzip(request: IncomingMessage): boolean {
  return /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
}

async function encodeBody(body: unknown, { encoding, pretty }: Reply): Promise<string> {
  if (encoding === 'json') return `${JSON.stringify(body, undefined, pretty ? 2 : 0)}\n`;
  const { default: yaml } = await import('yaml');
  return yaml.stringify(JSON.parse(JSON.stringify(body)));
}

export async function sendText(
  { request, response }: Pick<Reply, 'request' | 'response'>,
  code: number,
  mediaType: string,
  text: string | Buffer,
): Promise<void> {
  let body = text;
  let length = Buffer.byteLength(text);
  response.setHeader('Content-Type', mediaType);
  response.setHeader('Cache-Control', 'no-cache, private');
  if (length >= GZIP_FROM_BYTES && acceptsGzip(request)) {
    const zlib = await import('node:zlib');
    body = await promisify(zlib.gzip)(text, { level: GZIP_LEVEL });
    length = body.length;
    response.setHeader('Content-Encoding', 'gzip');
    response.setHeader('Vary', 'Accept-Encoding');
  }
  response.setHeader('Content-Length', length);
  response.writeHead(code);
  // A text leaves together with the headers, in one record and one system call.
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Anything that was thrown, as the Status that a client gets. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return internalError(error instanceof Error ? error.message : String(error));
}

export async function sendError(reply: Reply, error: ApiError): Promise<void> {
  const { response } = reply;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const retryAfterSeconds = error.details?.retryAfterSeconds;
  if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', retryAfterSeconds);
  await sendBody(reply, error.code, error.toStatus());
}
