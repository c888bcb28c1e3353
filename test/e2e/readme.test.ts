/** The commands of the README's first five minutes, as they stand there, against a cluster of real processes. */
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TestCluster } from './cluster.ts';
import { documentedCommands, scriptOf } from './documented-commands.ts';

const root = resolve(import.meta.dirname, '../..');

/** `npm start` is what the cluster of this test is; a watch would not end. */
function asTested(line: string): string | undefined {
  return line.startsWith('npm ') ? undefined : line.replace(/ -w$/, '');
}

const cluster = await TestCluster.start();

describe.skipIf(cluster === undefined)("the README's first five minutes", () => {
  afterAll(() => cluster?.down());

  const commands = documentedCommands(join(root, 'README.md'), 'The first five minutes').flatMap(
    (line) => asTested(line) ?? [],
  );

  it('has commands', () => {
    expect(commands.length).toBeGreaterThan(8);
  });

  it('work as they stand there', async () => {
    const result = await cluster!.shell(scriptOf(commands));
    expect(result.code, `${result.stdout}\n${result.stderr}`).toBe(0);
    expect(result.stdout).toContain('DNAT 10.');
    expect(result.stdout).toContain('-A KUBE-SERVICES');
    expect(result.stdout).toMatch(/^default via /m);
  });
});
