/**
 * node cli/bundle.ts [--out FOLDER]
 *
 * Without --out: dist/<hash of the sources>, made once after each change. With it the folder holds all that Node needs.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle, bundleWhenChanged } from './bundler.ts';

const { values } = parseArgs({ options: { out: { type: 'string' } } });
const projectRoot = resolve(import.meta.dirname, '..');
const print = (text: string): void => void process.stdout.write(`${text}\n`);
if (values.out === undefined) {
  print(await bundleWhenChanged(projectRoot, print));
} else {
  const outFolder = resolve(values.out);
  await bundle({ projectRoot, outFolder });
  print(outFolder);
}
