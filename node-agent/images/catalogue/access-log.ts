/** Access log lines of web servers, from what is known once a response is over. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { formatDate } from '../coreutils/system.ts';

export interface AccessEntry {
  readonly client: string;
  /** The request line: `GET / HTTP/1.1`. */
  readonly request: string;
  readonly status: number;
  readonly bodyBytes: number;
  readonly referer: string;
  readonly userAgent: string;
  readonly moment: Date;
}

/** Calls `log` when the response is over; `abortedStatus` is the status when the client left before. */
export function whenAnswered(
  request: IncomingMessage,
  response: ServerResponse,
  log: (entry: AccessEntry) => void,
  abortedStatus?: number,
): void {
  // The socket forgets its peer when it closes.
  const client = request.socket.remoteAddress ?? '-';
  const counted = countBody(response);
  response.once('close', () => {
    const { headers, method, url, httpVersion } = request;
    log({
      client,
      request: `${method} ${url} HTTP/${httpVersion}`,
      status: response.writableFinished ? response.statusCode : (abortedStatus ?? response.statusCode),
      bodyBytes: counted(),
      referer: headers.referer ?? '-',
      userAgent: headers['user-agent'] ?? '-',
      moment: new Date(),
    });
  });
}

/** `10.1.1.1 - - [01/May/2024:10:00:00 +0000] "GET / HTTP/1.1" 200 12` */
export function commonLogLine({ client, moment, request, status, bodyBytes }: AccessEntry): string {
  return `${client} - - [${logTime(moment)}] "${request}" ${status} ${bodyBytes === 0 ? '-' : bodyBytes}`;
}

export function logTime(moment: Date): string {
  return formatDate(moment, '%d/%b/%Y:%H:%M:%S %z');
}

/** Counts the body's bytes as they are handed to the response; Node keeps no count of its own. */
function countBody(response: ServerResponse): () => number {
  let bytes = 0;
  const count = (chunk: unknown): void => {
    if (typeof chunk === 'string') bytes += Buffer.byteLength(chunk);
    else if (chunk instanceof Uint8Array) bytes += chunk.length;
  };
  const write: typeof response.write = response.write.bind(response);
  const end: typeof response.end = response.end.bind(response);
  response.write = ((chunk: unknown, ...rest: never[]) => {
    count(chunk);
    return write(chunk, ...rest);
  }) as typeof response.write;
  response.end = ((chunk: unknown, ...rest: never[]) => {
    count(chunk);
    return end(chunk, ...rest);
  }) as typeof response.end;
  return () => bytes;
}
