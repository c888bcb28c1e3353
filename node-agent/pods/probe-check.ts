/**
 * One probe of a container: an HTTP request, a TCP connection, a health check of gRPC or a command. Requests are packets from the node's own
 * stack to the pod, as the kubelet's are.
 * https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/
 */
import { PassThrough } from 'node:stream';
import { urlToHttpOptions } from 'node:url';
import type { Container, GRPCAction, HTTPGetAction, Probe } from 'kubernetes-types/core/v1.d.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import type { ProcessStreams } from './container-runtime.ts';

export interface ProbeTarget {
  readonly container: Container;
  readonly podIp: string;
  /** The node's network. */
  readonly network: PodNetwork;
  exec(command: readonly string[], streams: ProcessStreams, signal: AbortSignal): Promise<number>;
}

/** `output` says why the probe failed; it becomes part of the event. */
export interface ProbeOutcome {
  readonly passed: boolean;
  readonly output: string;
}

type ProbeAction = Pick<Probe, 'httpGet' | 'tcpSocket' | 'grpc' | 'exec'>;

const MAX_OUTPUT_BYTES = 10 * 1024;

export async function checkProbe(probe: ProbeAction, target: ProbeTarget, timeoutMs: number): Promise<ProbeOutcome> {
  const signal = AbortSignal.timeout(timeoutMs);
  if (probe.httpGet !== undefined) return checkHttp(probe.httpGet, target, signal);
  if (probe.tcpSocket !== undefined) {
    const { host = target.podIp, port } = probe.tcpSocket;
    return checkTcp(host, resolvePort(port, target.container), target.network, signal);
  }
  if (probe.grpc !== undefined) return checkGrpc(probe.grpc, target, timeoutMs, signal);
  if (probe.exec !== undefined) return checkExec(probe.exec.command ?? [], target, signal);
  return { passed: false, output: 'the probe has no httpGet, tcpSocket, grpc or exec' };
}

/** A port by number or by a name that the container declares; NaN when there is none. */
export function resolvePort(port: string | number, container: Container): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((candidate) => candidate.name === port);
  return named?.containerPort ?? Number(port);
}

async function checkTcp(host: string, port: number, network: PodNetwork, signal: AbortSignal): Promise<ProbeOutcome> {
  try {
    const socket = await network.connectTcp({ host, port }, signal);
    socket.destroy();
    return { passed: true, output: '' };
  } catch (error) {
    return { passed: false, output: dialError(error, host, port, signal) };
  }
}

async function checkHttp(action: HTTPGetAction, target: ProbeTarget, signal: AbortSignal): Promise<ProbeOutcome> {
  const host = action.host ?? target.podIp;
  const port = resolvePort(action.port, target.container);
  const secure = action.scheme === 'HTTPS';
  const path = action.path === undefined || action.path === '' ? '/' : action.path;
  const url = `${secure ? 'https' : 'http'}://${host}:${port}${path.startsWith('/') ? path : `/${path}`}`;
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.32', accept: '*/*', connection: 'close' };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  try {
    const status = await httpStatus(url, headers, target.network, signal);
    if (status >= 200 && status < 400) return { passed: true, output: '' };
    return { passed: false, output: `HTTP probe failed with statuscode: ${status}` };
  } catch (error) {
    return { passed: false, output: `Get "${url}": ${dialError(error, host, port, signal)}` };
  }
}

/** The HTTP modules are loaded by the first probe that needs them. */
async function httpStatus(
  url: string,
  headers: Record<string, string>,
  network: PodNetwork,
  signal: AbortSignal,
): Promise<number> {
  const { hostname, port, protocol } = new URL(url);
  const plain = await network.connectTcp(
    { host: hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)) },
    signal,
  );
  const { requestOver } = await import('../../shared/podnet/http.ts');
  const socket = protocol === 'https:' ? await overTls(plain) : plain;
  return new Promise((resolve, reject) => {
    const target = { ...urlToHttpOptions(new URL(url)), protocol: 'http:' };
    const outgoing = requestOver(socket, { ...target, headers, signal }, (response) => {
      response.resume();
      response.once('error', reject);
      resolve(response.statusCode ?? 0);
      socket.destroy();
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

async function overTls(socket: import('node:stream').Duplex): Promise<import('node:stream').Duplex> {
  const { connect } = await import('node:tls');
  // A probe does not verify the certificate (the Kubernetes page, "HTTP probes").
  return connect({ socket, rejectUnauthorized: false });
}

async function checkGrpc(
  { port, service }: GRPCAction,
  { podIp, network }: ProbeTarget,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const authority = `${podIp}:${port}`;
  try {
    const socket = await network.connectTcp({ host: podIp, port }, signal);
    const { askHealth, GRPC_OK, GRPC_UNIMPLEMENTED } = await import('../../shared/podnet/grpc-health.ts');
    const { code, message, status } = await askHealth(socket, authority, service ?? '', signal);
    if (status === 'SERVING') return { passed: true, output: 'service healthy' };
    if (code === GRPC_OK) return { passed: false, output: `service unhealthy (responded with "${status}")` };
    const why =
      code === GRPC_UNIMPLEMENTED
        ? 'this server does not implement the grpc health protocol (grpc.health.v1.Health)'
        : `health rpc probe failed: code ${code}`;
    return { passed: false, output: `error: ${why}: ${message}` };
  } catch (error) {
    const seconds = `${timeoutMs / 1000}s`;
    if (signal.aborted)
      return { passed: false, output: `timeout: failed to connect service "${authority}" within ${seconds}` };
    return {
      passed: false,
      output: `error: failed to connect service at "${authority}": ${dialError(error, podIp, port, signal)}`,
    };
  }
}

async function checkExec(command: readonly string[], target: ProbeTarget, signal: AbortSignal): Promise<ProbeOutcome> {
  const output = new PassThrough();
  const chunks: Buffer[] = [];
  let size = 0;
  output.on('data', (chunk: Buffer) => {
    if (size < MAX_OUTPUT_BYTES) chunks.push(chunk.subarray(0, MAX_OUTPUT_BYTES - size));
    size += chunk.length;
  });
  try {
    const exitCode = await target.exec(command, { stdin: undefined, stdout: output, stderr: output }, signal);
    if (signal.aborted) return { passed: false, output: `command timed out: "${command.join(' ')}"` };
    return { passed: exitCode === 0, output: Buffer.concat(chunks).toString('utf8').trim() };
  } catch (error) {
    return { passed: false, output: error instanceof Error ? error.message : String(error) };
  }
}

const DIAL_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'i/o timeout',
  ECONNRESET: 'read: connection reset by peer',
};

/** The words that users know from the original. */
function dialError(error: unknown, host: string, port: number, signal: AbortSignal): string {
  if (signal.aborted) return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known = DIAL_ERRORS[code];
  if (known !== undefined) return `dial tcp ${host}:${port}: ${known}`;
  return error instanceof Error ? error.message : String(error);
}
