/** A small HTTP client on a pod's network, for tests of images that serve. */
import { request as sendRequest } from 'node:http';
import { PodHttpAgent } from '../../../shared/podnet/http.ts';
import type { PodNetwork } from '../../../shared/podnet/pod-network.ts';
import { socketErrorCode } from '../../../shared/podnet/socket-error.ts';
import { readAll } from '../program-io.ts';

export interface TestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface TestRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks `http://address...` and gathers the answer; redirects are not followed. */
export function ask(
  network: PodNetwork,
  url: string,
  { method, headers, body }: TestRequest = {},
): Promise<TestAnswer> {
  const agent = new PodHttpAgent({ network, lookup: async (name) => name });
  return new Promise((resolve, reject) => {
    const request = sendRequest(url, { agent, method, headers }, (response) => {
      readAll(response).then(
        (bytes) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
            body: bytes.toString(),
          }),
        reject,
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Sends one datagram and resolves with the reply. */
export async function askUdp(network: PodNetwork, address: string, port: number, text: string): Promise<string> {
  const socket = await network.bindUdp({ remote: { address, port } });
  try {
    const reply = new Promise<string>((resolve, reject) => {
      socket.once('message', (data: Uint8Array) => resolve(Buffer.from(data).toString()));
      socket.once('error', reject);
    });
    await socket.send(Buffer.from(text), port, address);
    return await reply;
  } finally {
    socket.close();
  }
}

/** Connects and reads until the server closes. */
export async function readTcp(network: PodNetwork, host: string, port: number): Promise<string> {
  const socket = await network.connectTcp({ host, port });
  return (await readAll(socket)).toString();
}

/** Resolves once something listens there. */
export async function listening(network: PodNetwork, host: string, port: number): Promise<void> {
  for (;;) {
    try {
      (await network.connectTcp({ host, port })).destroy();
      return;
    } catch (error) {
      if (socketErrorCode(error) !== 'ECONNREFUSED') throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
