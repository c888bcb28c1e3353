/** `kubectl exec` without kubectl: commands in pods over WebSocket, each on a connection of its own as kubectl's are. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { ApiEndpoint } from './api-load.ts';

const STDOUT = 1;
const ERROR = 3;

export interface ExecResult {
  readonly stdout: string;
  /** From the first packet to the end of the connection. */
  readonly elapsedMs: number;
}

/** Runs the command to its end. Rejects when it cannot be begun or does not exit with 0. */
export async function execInPod(
  { port, ca, token }: ApiEndpoint,
  pod: string,
  command: readonly string[],
): Promise<ExecResult> {
  const startedMs = performance.now();
  const query = new URLSearchParams({ stdout: '1' });
  for (const word of command) query.append('command', word);
  const socket = new WebSocket(
    `wss://127.0.0.1:${port}/api/v1/namespaces/default/pods/${pod}/exec?${query.toString()}`,
    ['v5.channel.k8s.io'],
    { ca, headers: { authorization: `Bearer ${token}` } },
  );
  const received: Buffer[][] = [];
  socket.on('message', (data: Buffer) => {
    const channel = data[0] as number;
    received[channel] ??= [];
    received[channel].push(data.subarray(1));
  });
  await once(socket, 'close');
  const text = (channel: number): string => Buffer.concat(received[channel] ?? []).toString('utf8');
  const status: unknown = JSON.parse(text(ERROR) || '{}');
  if ((status as { status?: string }).status !== 'Success') {
    throw new Error(`exec ${command.join(' ')} in ${pod} ended with ${text(ERROR) || 'nothing'}`);
  }
  return { stdout: text(STDOUT), elapsedMs: performance.now() - startedMs };
}
