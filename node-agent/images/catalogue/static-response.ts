/** A file as a web server sends it: conditional requests and one range (RFC 9110 sections 13 and 14). */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { StaticFile } from './static-files.ts';

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Sends the file (its headers only for HEAD); 200, 206, 304 or 416. */
export function sendStatic(
  request: IncomingMessage,
  response: ServerResponse,
  file: StaticFile,
  type: string = file.type,
): void {
  const { bytes, modifiedAtMs } = file;
  const modified = new Date(Math.floor(modifiedAtMs / 1000) * 1000);
  const etag = `"${Math.floor(modifiedAtMs / 1000).toString(16)}-${bytes.length.toString(16)}"`;
  const validators = { ETag: etag, 'Last-Modified': modified.toUTCString() };
  if (isUnchanged(request, etag, modified)) {
    response.writeHead(304, validators).end();
    return;
  }
  const headers: OutgoingHttpHeaders = { ...validators, 'Content-Type': type, 'Accept-Ranges': 'bytes' };
  const range = requestedRange(request.headers.range, bytes.length);
  if (range === 'unsatisfiable') {
    response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}`, 'Content-Length': 0 }).end();
    return;
  }
  const body = range === undefined ? bytes : bytes.subarray(range.first, range.last + 1);
  headers['content-length'] = body.length;
  if (range !== undefined) headers['content-range'] = `bytes ${range.first}-${range.last}/${bytes.length}`;
  response.writeHead(range === undefined ? 200 : 206, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
}

function isUnchanged({ headers }: IncomingMessage, etag: string, modified: Date): boolean {
  const tags = headers['if-none-match'];
  if (tags !== undefined) return tags === '*' || tags.split(/\s*,\s*/).some((tag) => tag.replace(/^W\//, '') === etag);
  const since = Date.parse(headers['if-modified-since'] ?? '');
  return !Number.isNaN(since) && modified.getTime() <= since;
}

/** The one range that is asked for; several at once, or words that are no range, get the whole. */
function requestedRange(header: string | undefined, sizeBytes: number): Range | 'unsatisfiable' | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  const first = from === '' ? Math.max(0, sizeBytes - Number(to)) : Number(from);
  const last = from === '' || to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  return first > last ? 'unsatisfiable' : { first, last };
}
