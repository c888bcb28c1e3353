/** getent of the C library: hosts, ahosts, ahostsv4, ahostsv6, services, protocols, networks, passwd, group. */
import { parseHosts } from '../../../../shared/podnet/resolv-conf.ts';
import { literalAddress, type NamedAddresses, ResolveError } from '../../../../shared/podnet/resolver.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { write } from '../../program-io.ts';
import { NETWORKS, PROTOCOLS, SERVICES, type WellKnown } from './well-known.ts';

const NOT_FOUND = 2;
const BAD_OPTION = 64;
const HINT = "Try `getent --help' or `getent --usage' for more information.\n";
const ADDRESS_WIDTH = 15;
const NAME_WIDTH = 21;

export const getent: Utility = async (run) => {
  const option = run.args.find((word) => /^-[^s]/.test(word));
  if (option !== undefined) {
    await run.complain(`invalid option -- '${option.charAt(1)}'`);
    await write(run.context.stderr, HINT);
    return BAD_OPTION;
  }
  const [database, ...keys] = withoutSources(run.args);
  if (database === undefined) {
    await run.complain('wrong number of arguments');
    await write(run.context.stderr, HINT);
    return 1;
  }
  return look(run, database, keys);
};

/** `-s files` chooses among sources of names, of which there is one set here. */
function withoutSources(args: readonly string[]): readonly string[] {
  const [first = ''] = args;
  if (!first.startsWith('-s')) return args;
  return first === '-s' ? args.slice(2) : args.slice(1);
}

async function look(run: Invocation, database: string, keys: readonly string[]): Promise<number> {
  switch (database) {
    case 'hosts':
      return keys.length === 0 ? listHosts(run) : each(keys, (key) => hosts(run, key));
    case 'ahosts':
      return keys.length === 0 ? listHosts(run) : each(keys, async (key) => addresses(run, key, await families(run)));
    case 'ahostsv4':
      return keys.length === 0 ? listHosts(run) : each(keys, (key) => addresses(run, key, 4));
    case 'ahostsv6':
      return keys.length === 0 ? listHosts(run) : each(keys, (key) => addresses(run, key, 6));
    case 'services':
      return wellKnown(run, SERVICES, keys);
    case 'protocols':
      return wellKnown(run, PROTOCOLS, keys);
    case 'networks':
      return wellKnown(run, NETWORKS, keys);
    case 'passwd':
    case 'group':
      return accounts(run, database, keys);
    default:
      await write(run.context.stderr, `Unknown database: ${database}\n${HINT}`);
      return 1;
  }
}

async function each(keys: readonly string[], find: (key: string) => Promise<boolean>): Promise<number> {
  let code = 0;
  for (const key of keys) if (!(await find(key))) code = NOT_FOUND;
  return code;
}

/** gethostent gives IPv4 addresses only; IPv6's loopback counts as IPv4's. */
async function listHosts(run: Invocation): Promise<number> {
  for (const { address: given, names } of parseHosts(run.context.container.files.readText('/etc/hosts'))) {
    const address = given === '::1' ? '127.0.0.1' : given;
    if (address.includes(':')) continue;
    await run.print(`${address.padEnd(ADDRESS_WIDTH)} ${names.join(' ')}\n`);
  }
  return 0;
}

/** As gethostbyaddr, or gethostbyname2 first for IPv6 and then for IPv4. */
async function hosts(run: Invocation, key: string): Promise<boolean> {
  const { resolver } = run.context.container;
  if (literalAddress(key) !== undefined) {
    const names = await resolver.lookupAddressNames(key, run.context.signal);
    if (names.length > 0) await run.print(`${key.padEnd(ADDRESS_WIDTH)} ${names.join(' ')}\n`);
    return names.length > 0;
  }
  const found = (await lookup(run, key, 6)) ?? (await lookup(run, key, 4));
  if (found === undefined) return false;
  const names = [found.canonicalName, ...found.aliases].join(' ');
  for (const { address } of found.addresses) await run.print(`${address.padEnd(ADDRESS_WIDTH)} ${names}\n`);
  return true;
}

/** AI_ADDRCONFIG: no addresses of a family that the pod has none of. */
async function families(run: Invocation): Promise<4 | 6 | undefined> {
  const own = (await run.context.container.network.addresses()).map(({ address }) => address);
  const [has4, has6] = [own.some((address) => !address.includes(':')), own.some((address) => address.includes(':'))];
  if (has4 === has6) return undefined;
  return has4 ? 4 : 6;
}

/** As getaddrinfo with AI_CANONNAME: a line for each kind of socket. */
async function addresses(run: Invocation, key: string, family: 4 | 6 | undefined): Promise<boolean> {
  const found = await lookup(run, key, family);
  if (found === undefined) return false;
  for (const [index, { address }] of found.addresses.entries()) {
    const padded = address.padEnd(ADDRESS_WIDTH);
    const name = index === 0 ? found.canonicalName : '';
    await run.print(`${padded} STREAM ${name}\n${padded} DGRAM  \n${padded} RAW    \n`);
  }
  return true;
}

async function lookup(run: Invocation, name: string, family: 4 | 6 | undefined): Promise<NamedAddresses | undefined> {
  const { container, signal } = run.context;
  try {
    const found = await container.resolver.lookupNamed(name, { family, signal });
    const addresses = found.addresses.filter((entry) => family === undefined || entry.family === family);
    return addresses.length === 0 ? undefined : { ...found, addresses };
  } catch (error) {
    if (error instanceof ResolveError) return undefined;
    throw error;
  }
}

/** By name, alias, number, or `number/protocol`. */
async function wellKnown(run: Invocation, entries: readonly WellKnown[], keys: readonly string[]): Promise<number> {
  const print = ({ name, value, aliases }: WellKnown): Promise<void> =>
    run.print(`${name.padEnd(NAME_WIDTH)} ${[value, ...aliases].join(' ')}\n`);
  if (keys.length === 0) {
    for (const entry of entries) await print(entry);
    return 0;
  }
  return each(keys, async (key) => {
    const entry = entries.find(
      ({ name, value, aliases }) =>
        name === key ||
        aliases.includes(key) ||
        value === key ||
        value.split('/')[0] === key ||
        `${name}/${value.split('/')[1]}` === key,
    );
    if (entry !== undefined) await print(entry);
    return entry !== undefined;
  });
}

async function accounts(run: Invocation, database: string, keys: readonly string[]): Promise<number> {
  const { files } = run.context.container;
  const path = `/etc/${database}`;
  const lines = files.exists(path)
    ? files
        .readText(path)
        .split('\n')
        .filter((line) => line !== '')
    : [];
  if (keys.length === 0) {
    for (const line of lines) await run.print(`${line}\n`);
    return 0;
  }
  return each(keys, async (key) => {
    const found = lines.find((line) => {
      const [name, , id] = line.split(':');
      return name === key || id === key;
    });
    if (found !== undefined) await run.print(`${found}\n`);
    return found !== undefined;
  });
}
