/** `/dial`: asks another netexec from inside this pod, `tries` times, over HTTP or UDP. */
import type { ServerResponse } from 'node:http';
import { withDeadline } from '../deadline.ts';
import { goNetworkError } from '../go-network-error.ts';
import { exchange } from '../http-exchange.ts';
import type { Service } from '../service.ts';

const ANSWER_TIMEOUT_MS = 5000;

interface DialTarget {
  readonly host: string;
  readonly port: number;
  readonly request: string;
}

type Ask = (service: Service, target: DialTarget) => Promise<string>;

const ASKERS: Readonly<Record<string, Ask>> = { http: askHttp, udp: askUdp };

/** Returns `{"responses": [...]}` and, when tries failed, `{"errors": [...]}`; 400 with a sentence for bad parameters. */
export async function dial(service: Service, query: URLSearchParams, response: ServerResponse): Promise<string> {
  const protocol = (query.get('protocol') || 'http').toLowerCase();
  const ask = ASKERS[protocol];
  const host = (query.get('host') ?? '').replace(/^\[|\]$/g, '');
  const port = Number(query.get('port') || Number.NaN);
  const tries = Number(query.get('tries') || 1);
  const complaint =
    (host === '' && `host parameter must be specified`) ||
    (!(Number.isInteger(port) && port > 0 && port < 65_536) && `port parameter is invalid: '${query.get('port')}'`) ||
    (!(Number.isInteger(tries) && tries > 0) && `tries parameter is invalid: '${query.get('tries')}'`) ||
    (ask === undefined && `unsupported protocol. ${protocol}`);
  if (complaint !== false || ask === undefined) {
    response.statusCode = 400;
    return String(complaint);
  }
  const target = { host, port, request: query.get('request') || 'hostname' };
  const responses: string[] = [];
  const errors: string[] = [];
  for (let attempt = 0; attempt < tries && !service.context.signal.aborted; attempt++) {
    try {
      responses.push(await ask(service, target));
    } catch (error) {
      errors.push(failure(protocol, target, error));
    }
  }
  return JSON.stringify({
    ...(responses.length === 0 ? {} : { responses }),
    ...(errors.length === 0 ? {} : { errors }),
  });
}

function failure(protocol: string, { host, port, request }: DialTarget, error: unknown): string {
  const target = `${host}:${port}`;
  if (protocol === 'http') return `Get "http://${target}/${request}": ${goNetworkError(error, 'dial tcp', target)}`;
  return `reading from udp connection failed. err:'${goNetworkError(error, 'read udp', target)}'`;
}

async function askHttp({ context }: Service, { host, port, request }: DialTarget): Promise<string> {
  const url = new URL(`http://${host}:${port}/${request}`);
  const { container, signal } = context;
  const { body } = await exchange({ container, url, timeoutMs: ANSWER_TIMEOUT_MS, signal });
  return body.toString();
}

function askUdp({ context }: Service, { host, port, request }: DialTarget): Promise<string> {
  const { network, resolver } = context.container;
  return withDeadline(ANSWER_TIMEOUT_MS, context.signal, async (signal) => {
    const address = await resolver.lookupOne(host, signal);
    const socket = await network.bindUdp({ remote: { address, port } });
    try {
      const answer = new Promise<string>((resolve, reject) => {
        socket.once('message', (data: Uint8Array) => resolve(Buffer.from(data).toString().trim()));
        socket.once('error', reject);
        signal.addEventListener('abort', () => resolve(''), { once: true });
      });
      await socket.send(Buffer.from(request), port, address);
      return await answer;
    } finally {
      socket.close();
    }
  });
}
