/** Where the Unix socket of a pod's network is. */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** sockaddr_un holds 107 characters and a zero. */
const MAX_SOCKET_PATH = 107;

/** In `folder`, which is made, or, where its path is too long for a socket's name, in the system's folder for such files. */
export async function socketPath(folder: string, name: string): Promise<string> {
  const file = `${name}.sock`;
  const fitting = join(folder, file).length <= MAX_SOCKET_PATH ? folder : shortFolder(folder);
  await mkdir(fitting, { recursive: true, mode: 0o700 });
  return join(fitting, file);
}

function shortFolder(folder: string): string {
  return join(tmpdir(), `podwire-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`);
}
