/** The example of every plugin's README is a configuration that starts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testServer } from './server.testkit.ts';

const folder = join(import.meta.dirname, 'plugins');

describe('README examples', () => {
  it.each(readdirSync(folder))('%s', async (plugin) => {
    const [, example] =
      /```corefile\n([\s\S]*?)```/.exec(readFileSync(join(folder, plugin, 'README.md'), 'utf8')) ?? [];
    expect(example?.startsWith(plugin)).toBe(true);
    const server = await testServer({ corefile: `. {\n${example}}` });
    expect(server.blocks.ports).toEqual([53]);
  });
});
