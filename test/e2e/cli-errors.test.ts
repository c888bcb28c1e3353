/** What a user can get wrong: one clear sentence, a non-zero exit, and nothing harmed. No cluster is started here. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { type CommandResult, run } from './run-command.ts';

const MAIN = resolve(import.meta.dirname, '../../cli/main.ts');

let home: string;
const servers: Server[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pw-'));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(home, { recursive: true });
});

function podwire(args: readonly string[], environment: Record<string, string> = {}): Promise<CommandResult> {
  return run(process.execPath, [MAIN, ...args], { env: { PODWIRE_HOME: home, ...environment } });
}

async function takePort(): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

describe('without a cluster', () => {
  it.each([
    [['status']],
    [['kubeconfig']],
    [['down']],
    [['node', 'list']],
    [['node', 'kill', 'worker-1']],
    [['node', 'exec', 'worker-1', '--', 'ip', 'route']],
  ])('podwire %j says that none is running', async (args) => {
    const { code, stdout, stderr } = await podwire(args);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: "podwire: no cluster 'podwire' is running: start it with podwire up\n",
    });
    expect(readdirSync(home).filter((entry) => entry !== 'cache')).toEqual([]);
  });

  it('podwire logs says that it never ran', async () => {
    const { code, stderr } = await podwire(['logs', 'apiserver', '--name', 'lab-2']);
    expect(code).toBe(1);
    expect(stderr).toBe("podwire: cluster 'lab-2' has never run: podwire up\n");
  });
});

it('a command whose reader leaves ends without a word', async () => {
  const log = join(home, 'podwire/logs/apiserver.log');
  mkdirSync(dirname(log), { recursive: true });
  writeFileSync(log, 'first\n');
  const environment = { ...process.env, PODWIRE_HOME: home };
  const child = spawn(process.execPath, [MAIN, 'logs', 'apiserver', '-f'], { env: environment });
  const ended = once(child, 'close');
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  // It may not follow the file yet: it is told until it has noticed.
  await waitFor('its end', () => {
    appendFileSync(log, 'more\n');
    return child.exitCode !== null;
  });
  expect([(await ended)[0], said]).toEqual([141, '']);
});

describe('podwire up refuses', () => {
  it.each([['Lab'], ['a/b'], ['..'], ['-x'], ['cache'], ['a'.repeat(41)]])('the name %j', async (name) => {
    const { code, stderr } = await podwire(['up', `--name=${name}`]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^podwire: '.*' cannot name a cluster: .*\n$/);
  });

  it.each([
    [['--nodes', '0'], 'expected a whole number from 1 to 200'],
    [['--nodes', 'many'], 'expected a whole number from 1 to 200'],
    [['--api-port', '70000'], 'expected a whole number from 1 to 65535'],
    [['--cni', 'carrier-pigeon'], 'Allowed choices are'],
    [['--fly'], "unknown option '--fly'"],
  ])('%j', async (args, message) => {
    const { code, stderr } = await podwire(['up', ...args]);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });

  it.each([
    ['--api-port', 'the API'],
    ['--nats-port', 'NATS'],
  ])('a port that another process has: %s', async (option, what) => {
    const port = await takePort();
    const { code, stderr } = await podwire(['up', option, String(port)]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `podwire: port ${port} for ${what} is taken by another process: choose another with ${option}, or leave it out\n`,
    );
  });

  it('a mistake beside --fresh, and keeps what is stored', async () => {
    const stored = join(home, 'podwire/nats/store');
    mkdirSync(stored, { recursive: true });
    const { code, stderr } = await podwire(['up', '--fresh', '--api-port', String(await takePort())]);
    expect(code).toBe(1);
    expect(stderr).toContain('is taken by another process');
    expect(existsSync(stored)).toBe(true);
  });

  it('a state folder that cannot be written', async () => {
    const file = join(home, 'file');
    writeFileSync(file, '');
    const { code, stderr } = await podwire(['up'], { PODWIRE_HOME: join(file, 'home') });
    expect(code).toBe(1);
    expect(stderr).toContain(`the state folder ${join(file, 'home/podwire')} cannot be written`);
    expect(stderr).toContain('set PODWIRE_HOME to a folder of yours');
  });

  it('a server of the user without JetStream or an answer', async () => {
    const port = await takePort();
    const { code, stderr } = await podwire(['up'], { NATS_URL: `nats://127.0.0.1:${port}` });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^podwire: no NATS server answered at nats:[^\n]*: set NATS_URL [^\n]*\n$/);
  });
});

describe('podwire --help', () => {
  it.each([
    [[]],
    [['up']],
    [['down']],
    [['status']],
    [['kubeconfig']],
    [['logs']],
    [['node', 'exec']],
    [['node', 'kill']],
  ])('of %j has examples', async (command) => {
    const { code, stdout } = await podwire([...command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples:\n +podwire|Examples:\n +\w+/);
  });
});
