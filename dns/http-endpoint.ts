/** A small HTTP server on the server's own network, for health, ready and metrics. */
import type { PodNetwork } from '../shared/podnet/pod-network.ts';
import type { DnsNetwork } from './plugin.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly contentType?: string;
  readonly body: string;
}

export interface HttpEndpoint {
  close(): Promise<void>;
}

export interface ListenAddress {
  /** All addresses without it. */
  readonly host?: string;
  readonly port: number;
}

/** `:8080` or `address:port`, as it stands in a Corefile; undefined when it is neither. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(.*):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2] ?? Number.NaN);
  if (match === null || port > 65_535) return undefined;
  return match[1] === '' || match[1] === 'localhost' ? { port } : { host: match[1], port };
}

/** GETs of `path` are answered by `answer`, all others with 404. */
export async function serveHttp(
  network: DnsNetwork,
  listen: ListenAddress,
  path: string,
  answer: () => HttpAnswer | Promise<HttpAnswer>,
): Promise<HttpEndpoint> {
  // node:http is large, and a server without these plugins does not need it.
  const { listenHttp } = await import('../shared/podnet/http.ts');
  // It listens, and uses nothing else of a pod's network.
  return listenHttp(network as PodNetwork, listen, (request, response) => {
    const respond = async (): Promise<HttpAnswer> =>
      new URL(request.url ?? '/', 'http://localhost').pathname === path
        ? answer()
        : { status: 404, body: '404 page not found\n' };
    respond().then(
      ({ status, contentType = 'text/plain; charset=utf-8', body }) => {
        // Node's own date keeps a timer until the next second: one more wake-up for each probe of an idle pod.
        const date = new Date().toUTCString();
        response.writeHead(status, { 'content-type': contentType, date });
        response.end(body);
      },
      (error: unknown) => {
        response.writeHead(500);
        response.end(`${String(error)}\n`);
      },
    );
  });
}
