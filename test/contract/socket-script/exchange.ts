/** What cases of `http`, `https`, `tls` and `http2` have in common: servers that listen, bodies, requests that are watched. */
import { createHash } from 'node:crypto';
import type http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, HOST, type Story } from './story.ts';

/** The port. */
export async function listen(
  story: Story,
  server: { listen(port: number, host: string, done: () => void): unknown; address(): unknown; close(): unknown },
): Promise<number> {
  story.own({
    close: () => {
      (server as http.Server).closeAllConnections?.();
      server.close();
    },
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  return (server.address() as AddressInfo).port;
}

/** How long a stream is and what it holds, or the error by which it ends. */
export async function read(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch (error) {
    return `${bytes > 0} ${describe(error)}`;
  }
  return `${bytes} ${hash.digest('hex').slice(0, 12)}`;
}

export function watchRequest(story: Story, actor: string, request: http.ClientRequest): http.ClientRequest {
  for (const event of ['response', 'abort', 'timeout', 'close', 'continue', 'finish'])
    request.on(event, () => story.tell(event === 'finish' ? `${actor} writing` : actor, event));
  request.on('error', (error) => story.tell(actor, describe(error)));
  return request;
}

export function body(bytes: number): Buffer {
  return Buffer.alloc(bytes, 'podwire');
}
