/** The commands of the README's first five minutes, as they stand there, against a cluster of real processes. */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TestCluster } from './cluster.ts';
import { run } from './run-command.ts';

const root = resolve(import.meta.dirname, '../..');

/** Lines of the `sh` blocks below a heading, comments off. */
function commandsBelow(heading: string): string[] {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  const blocks = [...section.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? '');
  return blocks
    .flatMap((block) => block.split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter(Boolean);
}

/** `npm start` is what the cluster of this test is; a watch would not end. */
function asTested(line: string): string | undefined {
  return line.startsWith('npm ') ? undefined : line.replace(/ -w$/, '');
}

const cluster = await TestCluster.start();

describe.skipIf(cluster === undefined)("the README's first five minutes", () => {
  afterAll(() => cluster?.down(), 60_000);

  const commands = commandsBelow('The first five minutes').flatMap((line) => asTested(line) ?? []);

  it('has commands', () => {
    expect(commands.length).toBeGreaterThan(8);
  });

  it('work as they stand there', async () => {
    const script = [
      'set -e',
      ...commands.map((command) => `echo ">>> ${command.replaceAll(/["$`\\]/g, '\\$&')}"\n${command}`),
    ].join('\n');
    const result = await run('bash', ['-c', script], {
      cwd: root,
      env: {
        PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
        PODWIRE_HOME: cluster!.home,
        PODWIRE_CLUSTER: 'e2e',
      },
      timeoutMs: 120_000,
    });
    expect(result.code, `${result.stdout}\n${result.stderr}`).toBe(0);
    expect(result.stdout).toContain('DNAT 10.');
    expect(result.stdout).toContain('-A KUBE-SERVICES');
    expect(result.stdout).toMatch(/^default via /m);
  }, 150_000);
});
