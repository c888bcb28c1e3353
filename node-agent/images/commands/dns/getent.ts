/** getent: `hosts`, `ahosts`, `ahostsv4`, `passwd`, `group`, `services`. */

import { parseHosts } from '../../../../shared/podnet/resolv-conf.ts';
import { literalAddress, ResolveError } from '../../../../shared/podnet/resolver.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { reverseName } from './record-text.ts';

const NOT_FOUND = 2;

export const getent: Utility = async (run) => {
  const [database, ...keys] = run.args;
  switch (database) {
    case 'hosts':
      return keys.length === 0 ? allHosts(run) : each(keys, (key) => hosts(run, key));
    case 'ahosts':
    case 'ahostsv4':
      return each(keys, (key) => addresses(run, key));
    case 'passwd':
    case 'group':
    case 'services':
      return fileDatabase(run, database, keys);
    default:
      await run.complain(`Unknown database: ${database ?? ''}`);
      return 1;
  }
};

async function each(keys: readonly string[], look: (key: string) => Promise<boolean>): Promise<number> {
  let code = 0;
  for (const key of keys) if (!(await look(key))) code = NOT_FOUND;
  return code;
}

async function allHosts(run: Invocation): Promise<number> {
  for (const { address, names } of parseHosts(run.context.container.files.readText('/etc/hosts')))
    await run.print(`${address.padEnd(15)} ${names.join(' ')}\n`);
  return 0;
}

async function hosts(run: Invocation, key: string): Promise<boolean> {
  const { resolver } = run.context.container;
  if (literalAddress(key) !== undefined) {
    const answer = await resolver.query(reverseName(key), 'PTR', run.context.signal);
    const pointer = answer?.packet.answers?.find((record) => record.type === 'PTR');
    if (pointer === undefined || pointer.type !== 'PTR') return false;
    await run.print(`${key.padEnd(15)} ${pointer.data}\n`);
    return true;
  }
  const found = await lookup(run, key);
  for (const address of found) await run.print(`${address.padEnd(15)} ${key}\n`);
  return found.length > 0;
}

async function addresses(run: Invocation, key: string): Promise<boolean> {
  const found = await lookup(run, key);
  for (const [index, address] of found.entries()) {
    await run.print(
      `${address.padEnd(15)} STREAM${index === 0 ? ` ${key}` : ''}\n${address.padEnd(15)} DGRAM\n${address.padEnd(15)} RAW\n`,
    );
  }
  return found.length > 0;
}

async function lookup(run: Invocation, name: string): Promise<string[]> {
  try {
    return (await run.context.container.resolver.lookup(name, { signal: run.context.signal })).map(
      (entry) => entry.address,
    );
  } catch (error) {
    if (error instanceof ResolveError) return [];
    throw error;
  }
}

async function fileDatabase(run: Invocation, database: string, keys: readonly string[]): Promise<number> {
  const lines = run.context.container.files
    .readText(`/etc/${database}`)
    .split('\n')
    .filter((line) => line !== '');
  const chosen = keys.length === 0 ? lines : lines.filter((line) => keys.includes(line.split(/[:\t ]/)[0] ?? ''));
  for (const line of chosen) await run.print(`${line}\n`);
  return chosen.length < keys.length ? NOT_FOUND : 0;
}
