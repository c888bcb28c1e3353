import { connect } from 'node:net';
import type { ClusterFolder } from '../cluster-folder.ts';
import { messageOf, systemErrorCode, UserError } from '../user-error.ts';
import { type ControlRequest, decodeControlReply, type SupervisorStatus } from './control-protocol.ts';

/** Nobody listens on the socket: the cluster does not run. */
const NOT_RUNNING = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK']);
/** It ended while it was asked; asking again tells whether it is gone. */
const ENDED = new Set(['ECONNRESET', 'EPIPE', 'ENDED']);
const ANSWER_LIMIT_MS = 30_000;
const ATTEMPTS = 5;
const RETRY_MS = 20;

/** Undefined when the cluster does not run. */
export async function askSupervisor(
  folder: ClusterFolder,
  request: ControlRequest,
): Promise<SupervisorStatus | undefined> {
  const line = await exchangeOrUndefined(folder, request);
  if (line === undefined) return undefined;
  const reply = decodeControlReply(JSON.parse(line));
  if (reply === undefined) throw new UserError(`the supervisor of cluster '${folder.name}' is of another version`);
  if (!reply.ok) throw new UserError(reply.message);
  return reply.status;
}

async function exchangeOrUndefined(folder: ClusterFolder, request: ControlRequest): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await exchange(folder.controlSocket, JSON.stringify(request));
    } catch (error) {
      const code = systemErrorCode(error) ?? '';
      if (NOT_RUNNING.has(code)) return undefined;
      if (!ENDED.has(code) || attempt === ATTEMPTS) {
        throw new UserError(`the supervisor of cluster '${folder.name}' cannot be reached: ${messageOf(error)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** As `askSupervisor`, for commands that need a running cluster. */
export async function askRunningSupervisor(folder: ClusterFolder, request: ControlRequest): Promise<SupervisorStatus> {
  const status = await askSupervisor(folder, request);
  if (status !== undefined) return status;
  const option = folder.name === 'podwire' ? '' : ` --name ${folder.name}`;
  throw new UserError(`no cluster '${folder.name}' is running: start it with podwire up${option}`);
}

/** A UserError when the cluster runs. */
export async function expectNotRunning(folder: ClusterFolder): Promise<void> {
  if ((await askSupervisor(folder, { command: 'status' })) === undefined) return;
  throw new UserError(
    `cluster '${folder.name}' is running already: use it, stop it with podwire down, or start another with --name`,
  );
}

function exchange(socketPath: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let received = '';
    socket.setEncoding('utf8');
    socket.setTimeout(ANSWER_LIMIT_MS, () => socket.destroy(new Error('it does not answer')));
    socket.on('connect', () => socket.write(`${request}\n`));
    socket.on('data', (text: string) => {
      received += text;
    });
    socket.on('error', reject);
    socket.on('close', () => {
      if (received.endsWith('\n')) resolve(received);
      else reject(Object.assign(new Error('it ended before it answered'), { code: 'ENDED' }));
    });
  });
}
