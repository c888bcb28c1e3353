/** One HTTP request from a pod, its answer gathered: what images that call others need. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { urlToHttpOptions } from 'node:url';
import { PodHttpAgent, requestFrom } from '../../../shared/podnet/http.ts';
import type { ContainerView } from '../image.ts';
import { readAll } from '../program-io.ts';
import { withDeadline } from './deadline.ts';

export interface HttpExchange {
  readonly container: ContainerView;
  readonly url: URL;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A connection of its own; rejects with the socket's error, `ResolveError` or `NetworkTimeoutError`. */
export function exchange({ container, url, method, headers, timeoutMs, signal }: HttpExchange): Promise<HttpAnswer> {
  return withDeadline(timeoutMs, signal, async (deadline) => {
    const agent = new PodHttpAgent({
      network: container.network,
      lookup: (name) => container.resolver.lookupOne(name.replace(/^\[|\]$/g, ''), deadline),
      signal: deadline,
    });
    return new Promise<HttpAnswer>((resolve, reject) => {
      const request = requestFrom(
        agent,
        { ...urlToHttpOptions(url), method, headers, signal: deadline },
        (response) => {
          readAll(response).then(
            (body) =>
              resolve({
                status: response.statusCode ?? 0,
                httpVersion: response.httpVersion,
                headers: response.headers,
                body,
              }),
            reject,
          );
        },
      );
      request.on('error', reject);
      request.end();
    });
  });
}
