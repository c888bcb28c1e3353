import { join, resolve } from 'node:path';
import { entryPoint, type ProcessName } from '../../shared/runtime/entry-point.ts';

/**
 * The file to run for a process: its bundle, made first when the sources changed. When this program is a bundle itself, its
 * siblings lie beside it, images of the user's own among them.
 */
export async function programFile(
  name: ProcessName,
  report: (text: string) => void,
  ownImages: readonly string[] = [],
): Promise<string> {
  const entry = entryPoint(name);
  if (entry.endsWith('.mjs')) return entry;
  const { bundleWhenChanged } = await import('../bundler.ts');
  return join(await bundleWhenChanged(resolve(import.meta.dirname, '../..'), report, ownImages), `${name}.mjs`);
}
