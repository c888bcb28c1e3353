/**
 * The kubelet's endpoints about one container: `GET /containerLogs/NAMESPACE/POD/CONTAINER`, `POST /run/...?cmd=`, and exec, attach
 * and port-forward, which come by the API server alone. Errors in the words of the kubelet.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { ApiError } from '../../shared/api/status.ts';
import type { LogsStreamRequest } from '../../shared/bus/subjects.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { PodLogs } from '../pods/pod-logs.ts';
import type { PodManager } from '../pods/pod-manager.ts';
import { findRunning } from '../streams/container-target.ts';
import { type LogSink, serveLogs } from '../streams/log-stream.ts';

export interface ContainerEndpointSource {
  readonly pods: PodManager;
  readonly logs: PodLogs;
  readonly clock: Clock;
}

const TEXT = { 'content-type': 'text/plain; charset=utf-8' };
const UPGRADING = new Set(['exec', 'attach', 'portForward']);

/** Answers a request for a container; false for another path. */
export function answerContainerRequest(
  source: ContainerEndpointSource,
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
): boolean {
  const [, kind = '', namespace = '', pod = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
  // The pod's UID may stand before the container.
  const container = rest.at(-1);
  if (UPGRADING.has(kind) && pod !== '') {
    answerText(response, 400, 'Upgrade request required');
    return true;
  }
  if (container === undefined || (kind !== 'containerLogs' && kind !== 'run')) return false;
  const target = { namespace, pod, container };
  const answer = async (): Promise<void> => {
    if (kind === 'containerLogs') serveLogs(source, logsRequest(target, url.searchParams), responseSink(response));
    else if (request.method !== 'POST') answerText(response, 405, '405: Method Not Allowed');
    else await run(source, target, url.searchParams.get('cmd') ?? '', response);
  };
  answer().catch((error: unknown) => {
    const code = error instanceof ApiError ? error.code : 500;
    answerText(response, code, error instanceof Error ? error.message : String(error));
  });
  return true;
}

interface ContainerOf {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

function logsRequest(target: ContainerOf, query: URLSearchParams): LogsStreamRequest {
  const number = (name: string): number | undefined => {
    const text = query.get(name);
    return text === null || !/^\d+$/.test(text) ? undefined : Number(text);
  };
  return {
    kind: 'logs',
    ...target,
    follow: query.get('follow') === 'true',
    previous: query.get('previous') === 'true',
    timestamps: query.get('timestamps') === 'true',
    tailLines: number('tailLines'),
    sinceSeconds: number('sinceSeconds'),
    sinceTime: query.get('sinceTime') ?? undefined,
    limitBytes: number('limitBytes'),
  };
}

function responseSink(response: ServerResponse): LogSink {
  const begin = (): void => {
    if (!response.headersSent) response.writeHead(200, TEXT);
  };
  return {
    send: (_channel, data) => {
      begin();
      return new Promise((resolve, reject) => response.write(data, (error) => (error ? reject(error) : resolve())));
    },
    close: (error) => {
      begin();
      if (error === undefined) response.end();
      else response.destroy(error);
    },
    closed: new Promise((resolve) => response.once('close', () => resolve(undefined))),
  };
}

/** Runs a command whose words are separated by spaces, and answers with what it wrote. */
async function run(
  { pods }: ContainerEndpointSource,
  target: ContainerOf,
  command: string,
  response: ServerResponse,
): Promise<void> {
  const { instance } = findRunning(pods, target);
  const written: Buffer[] = [];
  const collect = () =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        written.push(chunk);
        done();
      },
    });
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const streams = { stdin: undefined, stdout: collect(), stderr: collect() };
  const exitCode = await instance.exec(command.split(' ').filter(Boolean), streams, gone.signal);
  const output = Buffer.concat(written).toString();
  if (exitCode === 0) answerText(response, 200, output);
  else answerText(response, 500, `command '${command}' exited with ${exitCode}: ${output}`);
}

function answerText(response: ServerResponse, code: number, text: string): void {
  if (!response.headersSent) response.writeHead(code, TEXT);
  response.end(text);
}
