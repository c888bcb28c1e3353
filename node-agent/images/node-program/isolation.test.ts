/** Whatever native code of a program does, it reaches no interface of the machine: as root, and as a user without rights. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Isolation, isolation } from './isolation.ts';

const run = promisify(execFile);
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];

/** As whom the words after it run, or why nobody can be had. */
type Somebody = { readonly words: readonly string[] } | { readonly reason: string };

async function nobody(): Promise<Somebody> {
  if (process.platform !== 'linux') return { reason: 'only Linux has namespaces' };
  if (process.getuid?.() !== 0) return { words: [] };
  try {
    await run(NOBODY[0] as string, [...NOBODY.slice(1), process.execPath, '-e', '']);
    return { words: NOBODY };
  } catch (error) {
    return { reason: `nobody cannot run Node here: ${error instanceof Error ? error.message.split('\n')[0] : error}` };
  }
}

/** What `isolation` finds for somebody. */
async function isolationOf(words: readonly string[]): Promise<Isolation> {
  const source = `
    const { isolation } = await import(${JSON.stringify(new URL('./isolation.ts', import.meta.url).href)});
    console.log(JSON.stringify(await isolation()));
  `;
  const [file = '', ...args] = [...words, process.execPath, '--input-type=module', '-e', source];
  return JSON.parse((await run(file, args)).stdout) as Isolation; // its own output
}

let port = 0;
const server = createServer((socket) => socket.end());
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  port = typeof address === 'object' ? (address?.port ?? 0) : 0;
});
afterAll(() => server.close());

/** The program's user, its interfaces, and what becomes of a connection to this machine. */
async function outlook(words: readonly string[]): Promise<{ uid: number; interfaces: string[]; connection: string }> {
  const source = `
    const say = (connection) => { console.log(JSON.stringify({ uid: process.getuid(),
      interfaces: Object.keys(require('os').networkInterfaces()), connection })); process.exit(); };
    require('net').connect(${port}, '127.0.0.1', () => say('made')).on('error', (error) => say(error.code));
  `;
  const [file = '', ...args] = [...words, process.execPath, '-e', source];
  return JSON.parse((await run(file, args)).stdout);
}

const somebody = await nobody();
const found = 'words' in somebody ? await isolationOf(somebody.words) : undefined;
const reason =
  'reason' in somebody
    ? somebody.reason
    : found?.isolated
      ? undefined
      : 'this machine gives users no namespaces of their own';
if (reason !== undefined) console.log(`isolation without root: skipped: ${reason}`);

describe('a program', () => {
  it('reaches this machine without it', async () => {
    expect(await outlook([])).toMatchObject({ connection: 'made' });
  });

  it.skipIf(reason !== undefined)('of a user without rights has no interface, and is still that user', async () => {
    const words = 'words' in somebody ? somebody.words : [];
    const seen = await outlook([...words, ...(found as Isolation).prefix]);
    expect(seen).toEqual({
      uid: words.length > 0 ? 65534 : process.getuid?.(),
      interfaces: [],
      connection: expect.stringMatching(/^(ENETUNREACH|ECONNREFUSED|EADDRNOTAVAIL)$/),
    });
  });

  it('has no interface wherever it says that it is isolated', async () => {
    const own = await isolation();
    const seen = await outlook(own.prefix);
    expect(seen.connection === 'made').toBe(!own.isolated);
    if (own.isolated) expect(seen.interfaces).toEqual([]);
  });
});
