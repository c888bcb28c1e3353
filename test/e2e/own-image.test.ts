/** The lab of an image of one's own: its commands work as they stand there, and a file that is missing is told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentedCommands, scriptOf } from './documented-commands.ts';
import { findKubectl } from './kubectl.ts';
import { run } from './run-command.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PODWIRE = join(ROOT, 'cli/main.ts');

const kubectl = await findKubectl();
if ('reason' in kubectl) console.log(`skipped: ${kubectl.reason}`);

describe.skipIf('reason' in kubectl)('an image of the user', () => {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'pw-own-'));
  });
  afterAll(async () => {
    await run(process.execPath, [PODWIRE, 'down', '--name', 'own', '--delete'], { env: { PODWIRE_HOME: home } });
    rmSync(home, { recursive: true, force: true });
  });

  it('is there by the commands of the lab', { timeout: 300_000 }, async () => {
    const commands = documentedCommands(join(ROOT, 'labs/own-image/README.md'));
    const result = await run('bash', ['-c', scriptOf(commands)], {
      cwd: ROOT,
      env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, PODWIRE_HOME: home },
      timeoutMs: 280_000,
    });
    expect(result.code, `${result.stdout}\n${result.stderr}`).toBe(0);
    expect(result.stdout).toMatch(/^visitor 1 of visits-\w+-\w+$/m);
    expect(result.stdout).toMatch(/^visits listens on port 80$/m);
    expect(result.stdout).toMatch(/^ +1 root +0:00 visits 80$/m);
  });

  it('that is not there stops the start with one sentence', async () => {
    const up = await run(process.execPath, [PODWIRE, 'up', '--image', join(home, 'nothing.ts')], {
      env: { PODWIRE_HOME: home },
    });
    expect(up).toMatchObject({
      code: 1,
      stderr: `podwire: --image ${join(home, 'nothing.ts')}: there is no such file\n`,
    });
  });
});
