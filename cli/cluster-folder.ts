/**
 * Where a cluster keeps its state: `$PODWIRE_HOME/<name>`, readable by its user alone.
 *
 *   cluster.json      settings and addresses of the last start
 *   supervisor.sock   how the other commands reach the supervisor
 *   kubeconfig, pki/  written by the apiserver
 *   nats/             token, configuration and store of nats-server
 *   logs/<process>.log
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isClusterName } from '../shared/runtime/config.ts';
import { messageOf, systemErrorCode, UserError } from './user-error.ts';

/** The folder of all clusters. */
export function podwireHome(): string {
  const configured = process.env.PODWIRE_HOME;
  return resolve(configured === undefined || configured === '' ? join(homedir(), '.podwire') : configured);
}

/** Where downloads and compiled code are kept for all clusters. */
export function cacheFolder(): string {
  return join(podwireHome(), 'cache');
}

/** The longest path that a Unix socket may have on macOS, the smaller of the two systems. */
const SOCKET_PATH_LIMIT_BYTES = 103;

export class ClusterFolder {
  readonly name: string;
  readonly path: string;

  constructor(name: string) {
    if (!isClusterName(name)) {
      throw new UserError(`'${name}' cannot name a cluster: use up to 40 of a-z, 0-9 and -, such as lab-2`);
    }
    if (name === 'cache') throw new UserError("'cache' cannot name a cluster: choose another name");
    this.name = name;
    this.path = join(podwireHome(), name);
  }

  get settingsFile(): string {
    return join(this.path, 'cluster.json');
  }

  get kubeconfig(): string {
    return join(this.path, 'kubeconfig');
  }

  get pkiFolder(): string {
    return join(this.path, 'pki');
  }

  get natsFolder(): string {
    return join(this.path, 'nats');
  }

  get logsFolder(): string {
    return join(this.path, 'logs');
  }

  logFile(processName: string): string {
    return join(this.logsFolder, `${processName}.log`);
  }

  /** In the state folder; in a folder of the same user below the temporary folder where that path would be too long. */
  get controlSocket(): string {
    const inFolder = join(this.path, 'supervisor.sock');
    if (Buffer.byteLength(inFolder) <= SOCKET_PATH_LIMIT_BYTES) return inFolder;
    const hash = createHash('sha256').update(this.path).digest('hex').slice(0, 16);
    return join(tmpdir(), `podwire-${process.getuid?.() ?? 0}`, `${hash}.sock`);
  }

  get exists(): boolean {
    return existsSync(this.path);
  }

  /** Makes the folders. A UserError says what cannot be written. */
  prepare(): void {
    try {
      for (const folder of [podwireHome(), this.path, this.logsFolder, this.natsFolder]) {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
      }
      chmodSync(this.path, 0o700);
    } catch (error) {
      throw new UserError(
        `the state folder ${this.path} cannot be written (${systemErrorCode(error) ?? messageOf(error)}): ` +
          'set PODWIRE_HOME to a folder of yours',
      );
    }
    this.prepareSocketFolder();
  }

  /** Removes everything but the logs and the control socket. */
  forget(): void {
    if (!this.exists) return;
    for (const entry of readdirSync(this.path)) {
      const path = join(this.path, entry);
      if (path !== this.controlSocket && path !== this.logsFolder) rmSync(path, { recursive: true, force: true });
    }
  }

  private prepareSocketFolder(): void {
    const folder = resolve(this.controlSocket, '..');
    if (folder === this.path) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(folder);
    if (uid !== process.getuid?.() || (mode & 0o077) !== 0) {
      throw new UserError(`${folder} belongs to somebody else: set PODWIRE_HOME to a shorter path`);
    }
  }
}

/** Names of all clusters that have a state folder. */
export function knownClusters(): string[] {
  if (!existsSync(podwireHome())) return [];
  return readdirSync(podwireHome()).filter(
    (name) => isClusterName(name) && name !== 'cache' && existsSync(new ClusterFolder(name).settingsFile),
  );
}
