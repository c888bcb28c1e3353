/**
 * One script of `net`, `dgram`, `http`, `tls` and `http2` run twice, each time in a process of its own: on the machine's sockets and on a
 * pod's, as Node programs have them. What it tells of events, errors and values is the same.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

type Stories = Record<string, Record<string, string[]>>;

const LIMIT_MS = 240_000;
const folder = mkdtempSync(join(tmpdir(), 'socket-script-'));
const podSocket = join(folder, 'pod.sock');
const files = { SCRIPT_KEY: join(folder, 'key.pem'), SCRIPT_CERT: join(folder, 'cert.pem') };
let stack: ChildProcess;

beforeAll(async () => {
  const name = ['-subj', '/CN=podwire.test', '-addext', 'subjectAltName=DNS:podwire.test'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
  const out = ['-keyout', files.SCRIPT_KEY, '-out', files.SCRIPT_CERT];
  execFileSync('openssl', ['req', '-x509', ...curve, ...out, ...name], { stdio: 'ignore' });
  stack = fork(join(import.meta.dirname, 'pod-stack.testkit.ts'), [podSocket, 'ipv6'], { execArgv: [] });
  await once(stack, 'message');
});

afterAll(() => {
  stack.disconnect();
  rmSync(folder, { recursive: true });
});

async function run(environment: Record<string, string>): Promise<Stories> {
  const env = { ...process.env, ...files, ...environment };
  const child = fork(join(import.meta.dirname, 'socket-script', 'run.ts'), [], { execArgv: [], env });
  const ended = once(child, 'exit').then(() => undefined);
  const told = await Promise.race([once(child, 'message'), ended]);
  if (told === undefined) throw new Error('the script ended before it told anything; its output is above');
  child.disconnect();
  await ended;
  return told[0] as Stories;
}

/** Titles of the cases that went differently, or did not come to their end. */
function differences(machine: Stories, pod: Stories): string[] {
  return Object.keys(machine).filter((title) => {
    const story = machine[title]!;
    return story.case?.[0] !== 'done' || !isDeepStrictEqual(story, pod[title]);
  });
}

test('one script tells the same on both', { timeout: LIMIT_MS }, async () => {
  let [machine, pod] = await Promise.all([run({}), run({ SCRIPT_POD_SOCKET: podSocket })]);
  expect(Object.keys(machine).length).toBeGreaterThan(80);
  // What two ends do at a time may come in another order on a busy machine, even on the machine's own sockets; what differs stays so.
  for (let again = 0; again < 3 && differences(machine, pod).length > 0; again++) {
    const only = { SCRIPT_ONLY: JSON.stringify(differences(machine, pod)) };
    [machine, pod] = await Promise.all([run(only), run({ ...only, SCRIPT_POD_SOCKET: podSocket })]);
  }
  for (const title of differences(machine, pod)) expect.soft(pod[title], title).toEqual(machine[title]);
  expect(differences(machine, pod)).toEqual([]);
});
