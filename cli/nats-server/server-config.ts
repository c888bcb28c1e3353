/** The configuration of our nats-server: who may connect, and where JetStream keeps the store. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface NatsServerOptions {
  readonly host: string;
  readonly port: number;
  readonly storeFolder: string;
  /** Serves /healthz and /varz; left out, there is no monitoring. */
  readonly monitorPort?: number;
}

export interface NatsServerFiles {
  readonly configFile: string;
  readonly token: string;
}

const TOKEN_BYTES = 24;
const MAX_PAYLOAD = '8MB';

export function natsConfigText(options: NatsServerOptions, token: string): string {
  const lines = [
    `server_name: "podwire-${options.port}"`,
    `host: ${JSON.stringify(options.host)}`,
    `port: ${options.port}`,
    ...(options.monitorPort === undefined ? [] : [`http: ${JSON.stringify(`${options.host}:${options.monitorPort}`)}`]),
    `max_payload: ${MAX_PAYLOAD}`,
    `jetstream { store_dir: ${JSON.stringify(options.storeFolder)} }`,
    `authorization { token: ${JSON.stringify(token)} }`,
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * Writes `nats.conf` and `token` into the folder, readable by their owner alone. A token that is there stays, so that
 * processes that still hold it can come back.
 */
export function writeNatsServerFiles(folder: string, options: NatsServerOptions): NatsServerFiles {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const token = readToken(folder) ?? writeToken(folder);
  const configFile = join(folder, 'nats.conf');
  writeFileSync(configFile, natsConfigText(options, token), { mode: 0o600 });
  return { configFile, token };
}

function readToken(folder: string): string | undefined {
  try {
    const token = readFileSync(join(folder, 'token'), 'utf8').trim();
    return token === '' ? undefined : token;
  } catch {
    return undefined;
  }
}

function writeToken(folder: string): string {
  const token = randomBytes(TOKEN_BYTES).toString('hex');
  writeFileSync(join(folder, 'token'), `${token}\n`, { mode: 0o600 });
  return token;
}
