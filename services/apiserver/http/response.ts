/** Writes answers: objects, lists, Tables and Statuses, as JSON or YAML, compressed when that pays. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { ApiError, internalError } from '../../../shared/api/status.ts';
import type { Encoding } from './negotiation.ts';

/** The original compresses from this size on (`APIResponseCompression`). */
const GZIP_FROM_BYTES = 128 * 1024;
const GZIP_LEVEL = 1;
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

async function encodeBody(body: unknown, { encoding, pretty }: Reply): Promise<string> {
  if (encoding === 'json') return `${JSON.stringify(body, undefined, pretty ? 2 : 0)}\n`;
  const { stringify } = await import('yaml');
  return stringify(JSON.parse(JSON.stringify(body)));
}

export async function sendText(
  { request, response }: Pick<Reply, 'request' | 'response'>,
  code: number,
  mediaType: string,
  text: string | Buffer,
): Promise<void> {
  let bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
  response.setHeader('Content-Type', mediaType);
  response.setHeader('Cache-Control', 'no-cache, private');
  if (bytes.length >= GZIP_FROM_BYTES && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
    const zlib = await import('node:zlib');
    bytes = await promisify(zlib.gzip)(bytes, { level: GZIP_LEVEL });
    response.setHeader('Content-Encoding', 'gzip');
    response.setHeader('Vary', 'Accept-Encoding');
  }
  response.setHeader('Content-Length', bytes.length);
  response.writeHead(code);
  response.end(request.method === 'HEAD' ? undefined : bytes);
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
