/** The README's example is an image that works, and its table has the images that exist. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ask } from './catalogue/http-client.testkit.ts';
import { SERVER, testPods } from './catalogue/pods.testkit.ts';
import { startTestContainer } from './container.testkit.ts';
import type { Image } from './image.ts';
import { imageNames } from './registry.ts';

const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');

function exampleImage(module: unknown): Image {
  const { visitsImage } = module as { visitsImage: Image };
  return visitsImage;
}

it('the example of a new image runs', async () => {
  const [, example = ''] = /```ts\n(\/\*\* visits[\s\S]*?)```/.exec(readme) ?? [];
  const folder = mkdtempSync(join(import.meta.dirname, 'catalogue', 'readme-example-'));
  try {
    // One folder deeper than the text says, so that nothing is left among the images.
    writeFileSync(join(folder, 'visits.ts'), example.replaceAll("'../", "'../../").replaceAll("'./", "'../"));
    const image = exampleImage(await import(join(folder, 'visits.ts')));
    const pods = testPods();
    const server = startTestContainer({ image, network: pods.left, hostname: 'web-0', args: ['8080'] });
    await server.waitForLog(/visits listens on port 8080/);
    await ask(pods.right, `http://${SERVER}:8080/`);
    expect((await ask(pods.right, `http://${SERVER}:8080/`)).body).toBe('visitor 2 of web-0\n');
    expect((await server.sh('echo from the shell')).stdout).toBe('from the shell\n');
    server.container.signal('SIGTERM');
    expect((await server.container.ended).exitCode).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('the table names every image', () => {
  const named = [...readme.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  expect(named.sort()).toEqual(imageNames());
});
