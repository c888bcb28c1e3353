/**
 * Before the first test: nats-server is found or fetched once, as `podwire up` does it, and put on PATH for all tests. Test
 * files that ran side by side on a fresh machine would each try to install it and meet at the package manager's lock.
 */
import { delimiter, dirname } from 'node:path';
import { cacheFolder } from '../cli/cluster-folder.ts';
import { findNatsServer } from '../cli/nats-server/find.ts';

export async function setup(): Promise<void> {
  try {
    const source = await findNatsServer({ folder: cacheFolder(), report: (text) => console.log(text) });
    if (source.kind === 'program') process.env.PATH = `${dirname(source.path)}${delimiter}${process.env.PATH}`;
  } catch (error) {
    // Most tests need none; those that do fail and name it.
    console.log(error instanceof Error ? error.message : error);
  }
}
