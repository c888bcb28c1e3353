/** `ip` (iproute2): what a network namespace has, and, for an administrator, its changes; words may be shortened as there. */
import { type IpFamily, parseAddress } from '../../../shared/wire/ip-address.ts';
import {
  type AddressRow,
  addressRows,
  formatAddresses,
  formatAddressLines,
  type LinkWithAddresses,
} from '../../datapath/show/address.ts';
import { formatLinks, type LinkRow, linkJson, linkRows } from '../../datapath/show/link.ts';
import { masterOf, type ShownNamespace } from '../../datapath/show/namespace.ts';
import { formatNeighbours, type NeighbourRow, neighbourRows } from '../../datapath/show/neighbour.ts';
import { formatRoutingRules, routingRuleRows } from '../../datapath/show/routing-rule.ts';
import { type CommandOutput, failed, printed } from '../command-output.ts';
import { readFollowOn } from '../follow-on.ts';
import { ADDRESS_CHANGES, changeAddress } from './address-change.ts';
import { argumentError, IpError, kernelError, usageError } from './ip-error.ts';
import { type IpOptions, readOptions } from './ip-options.ts';
import { change, json } from './ip-output.ts';
import { addLink, deleteLink } from './link-add.ts';
import { setLink } from './link-change.ts';
import { monitor } from './monitor.ts';
import { changeNeighbour, flushNeighbours, NEIGHBOUR_CHANGES, readNeighbourFilter } from './neighbour-change.ts';
import { routeObject } from './route-object.ts';
import { isListing, unknownVerb, verbOf } from './verbs.ts';
import { deviceNamed, garbage, Words } from './words.ts';

type IpObject = (namespace: ShownNamespace, words: readonly string[], options: IpOptions) => CommandOutput;

/** An object is found by the beginning of its name, the first that fits. */
const OBJECTS: readonly (readonly [name: string, run: IpObject])[] = [
  ['address', addressObject],
  ['link', linkObject],
  ['neighbour', neighbourObject],
  ['neighbor', neighbourObject],
  ['netns', netnsObject],
  ['route', routeObject],
  ['rule', ruleObject],
];
const USAGE =
  'Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n' +
  'where  OBJECT := { address | link | monitor | neighbour | netns | route | rule }\n' +
  '       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] | -j[son] | -p[retty] |\n' +
  '                    -f[amily] { inet | inet6 | link } | -4 | -6 | -br[ief] | -o[neline] }';
const VERSION = 'ip utility, iproute2-6.1.0';

/** `current`: the namespace as it is whenever one looks. */
export function ipCommand(current: () => ShownNamespace, given: readonly string[]): CommandOutput {
  const { asked: words, after } = readFollowOn(given);
  if (words[0] === '-V' || words[0] === '-Version') return printed(`${VERSION}\n`);
  try {
    const { options, rest } = readOptions(words);
    const [object, ...more] = rest;
    if (object === undefined || object === 'help') return failed(USAGE, 255);
    if (object.length >= 2 && 'monitor'.startsWith(object)) {
      return monitor(current, more, options, { asked: words, after });
    }
    const found = OBJECTS.find(([name]) => name.startsWith(object));
    if (found === undefined) return failed(`Object "${object}" is unknown, try "ip help".`);
    return found[1](current(), more, options);
  } catch (error) {
    if (error instanceof IpError) return failed(error.message, error.code);
    throw error;
  }
}

interface LinkFilter {
  readonly device: string | undefined;
  readonly scope: string | undefined;
  readonly matches: (namespace: ShownNamespace, name: string) => boolean;
}

/** `[dev] DEVICE`, `up`, `master BRIDGE`, `type KIND`, `scope SCOPE`. */
function readLinkFilter(given: readonly string[]): LinkFilter {
  const words = new Words(given);
  const tests: LinkFilter['matches'][] = [];
  let device: string | undefined;
  let scope: string | undefined;
  const asks = (test: (namespace: ShownNamespace, device: ShownNamespace['devices'][number]) => boolean) =>
    tests.push((namespace, name) => namespace.devices.some((found) => found.name === name && test(namespace, found)));
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'up') asks((_, { up }) => up);
    else if (word === 'scope') scope = words.value();
    else if (word === 'type') {
      const type = words.value();
      asks((_, { kind }) => kind === type);
    } else if (word === 'master') {
      const name = words.value();
      tests.unshift((namespace) => {
        if (namespace.devices.some((found) => found.name === name)) return true;
        throw usageError(`Error: argument "${name}" is wrong: Device does not exist\n`);
      });
      asks((namespace, found) => masterOf(namespace, found)?.name === name);
    } else if (device !== undefined) throw garbage('dev', word);
    else device = word === 'dev' ? words.value() : word;
  }
  return { device, scope, matches: (namespace, name) => tests.every((test) => test(namespace, name)) };
}

function filtered<Row extends LinkRow>(namespace: ShownNamespace, rows: readonly Row[], filter: LinkFilter): Row[] {
  const { device } = filter;
  if (device !== undefined && !rows.some(({ ifname }) => ifname === device)) {
    throw argumentError(`Device "${device}" does not exist.`);
  }
  return rows.filter(({ ifname }) => (device === undefined || ifname === device) && filter.matches(namespace, ifname));
}

function addressObject(namespace: ShownNamespace, words: readonly string[], options: IpOptions): CommandOutput {
  const [verb, ...rest] = words;
  const changes = verbOf(ADDRESS_CHANGES, verb);
  if (changes !== undefined) return change(namespace, () => changeAddress(namespace, changes, rest, options.family));
  if (!isListing(verb)) throw unknownVerb('address', verb ?? '');
  const { family } = options;
  const filter = readLinkFilter(rest);
  const { scope } = filter;
  const fits = (info: AddressRow): boolean => isOf(family, info.local) && (scope === undefined || info.scope === scope);
  const rows = filtered(namespace, addressRows(namespace), filter)
    .map((row) => ({ ...row, addr_info: row.addr_info.filter(fits) }))
    .filter((row) => (family === undefined && scope === undefined) || row.addr_info.length > 0);
  if (options.json) return json(rows.map(addressJson), options);
  if (options.oneLine) return printed(formatAddressLines(rows));
  return printed(options.brief ? briefText(rows, briefAddresses) : formatAddresses(rows));
}

/** In the order of `ip -j addr`, which says nothing of the link's mode. */
function addressJson(row: LinkWithAddresses): unknown {
  const { linkmode, addr_info, ...link } = linkJson(row);
  return { ...link, addr_info };
}

function briefAddresses({ addr_info }: LinkWithAddresses): string {
  return addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen} `).join('');
}

function linkObject(namespace: ShownNamespace, words: readonly string[], options: IpOptions): CommandOutput {
  const [verb, ...rest] = words;
  if (verb === 'set') return change(namespace, () => setLink(namespace, rest));
  if (verb === 'add') return change(namespace, () => addLink(namespace, rest));
  if (verb !== undefined && 'delete'.startsWith(verb)) return change(namespace, () => deleteLink(namespace, rest));
  if (!isListing(verb)) throw unknownVerb('link', verb ?? '');
  const rows = filtered(namespace, linkRows(namespace), readLinkFilter(rest));
  if (options.json)
    return json(
      rows.map((row) => linkJson(row, options)),
      options,
    );
  if (options.brief) return printed(briefText(rows, briefLink));
  if (!options.oneLine) return printed(formatLinks(rows, options));
  return printed(rows.map((row) => `${formatLinks([row], options).trimEnd().replaceAll('\n', '\\')}\n`).join(''));
}

function briefLink({ address, flags }: LinkRow): string {
  return `${address ?? ''} <${flags.join(',')}> `;
}

/** `-br`: a line a device. */
function briefText<Row extends LinkRow>(rows: readonly Row[], rest: (row: Row) => string): string {
  return rows
    .map((row) => {
      const other = row.link ?? (row.link_index === undefined ? undefined : `if${row.link_index}`);
      const name = other === undefined ? row.ifname : `${row.ifname}@${other}`;
      return `${name.padEnd(16)} ${row.operstate.padEnd(14)} ${rest(row)}\n`;
    })
    .join('');
}

function isOf(family: IpFamily | undefined, address: string): boolean {
  return family === undefined || address.includes(':') === (family === 'ipv6');
}

function neighbourObject(namespace: ShownNamespace, words: readonly string[], options: IpOptions): CommandOutput {
  const [verb, ...rest] = words;
  const changes = verbOf(NEIGHBOUR_CHANGES, verb);
  if (changes !== undefined) return change(namespace, () => changeNeighbour(namespace, changes, rest));
  if (verb === 'get') return neighbourGet(namespace, rest, options);
  const filter = verb === 'flush' || isListing(verb) ? readNeighbourFilter(namespace, rest) : undefined;
  if (filter === undefined) throw unknownVerb('neigh', verb ?? '');
  if (verb === 'flush') return neighbourFlush(namespace, rest, options);
  const rows = neighbourRows(namespace.host, filter.matches).filter(({ dst }) => isOf(options.family, dst));
  const { device } = filter;
  return neighbourText(device === undefined ? rows : rows.map(({ dev, ...row }) => row), options);
}

/** Rows name their device unless it was asked for. */
function neighbourText(rows: readonly (Omit<NeighbourRow, 'dev'> & { dev?: string })[], options: IpOptions) {
  return options.json ? json(rows, options) : printed(formatNeighbours(rows));
}

function neighbourFlush(namespace: ShownNamespace, rest: readonly string[], { statistics }: IpOptions): CommandOutput {
  const { isEmpty, matches } = readNeighbourFilter(namespace, rest);
  if (isEmpty) throw argumentError('Flush requires arguments.');
  let flushed = 0;
  change(namespace, () => {
    flushed = flushNeighbours(namespace, rest, matches);
  });
  if (!statistics) return printed('');
  if (flushed === 0) return printed('Nothing to flush.\n');
  const entries = flushed === 1 ? 'entry' : 'entries';
  return printed(`\n*** Round 1, deleting ${flushed} ${entries} ***\n*** Flush is complete after 1 round ***\n`);
}

/** `ip neigh get ADDRESS dev DEVICE` */
function neighbourGet(namespace: ShownNamespace, rest: readonly string[], options: IpOptions): CommandOutput {
  const [address = '', dev, name = ''] = rest;
  if (dev !== 'dev') throw usageError('Device and address are required arguments.');
  const device = deviceNamed(namespace, name);
  const found = neighbourRows(
    namespace.host,
    (neighbour) => neighbour.device === device && neighbour.address === parseAddress(address),
  );
  if (found.length === 0) throw kernelError('Neighbour entry not found.');
  return neighbourText(found, options);
}

/** `exec` is a program's business (`node/netns-exec.ts`), as it runs any command. */
function netnsObject({ named }: ShownNamespace, words: readonly string[], options: IpOptions): CommandOutput {
  const [verb, ...rest] = words;
  if (!isListing(verb)) throw unknownVerb('netns', [verb, ...rest].join(' '));
  const rows = named.map(({ name }, id) => ({ name, id }));
  return options.json ? json(rows, options) : printed(rows.map(({ name, id }) => `${name} (id: ${id})\n`).join(''));
}

/** Rules are the CNI plugin's. */
function ruleObject({ host }: ShownNamespace, [verb]: readonly string[], options: IpOptions): CommandOutput {
  if (verb === 'add' || (verb !== undefined && 'delete'.startsWith(verb))) {
    throw argumentError('podwire: rules are listed here; the CNI plugin makes them');
  }
  if (!isListing(verb)) throw unknownVerb('rule', verb ?? '');
  return options.json ? json(routingRuleRows(host), options) : printed(formatRoutingRules(host));
}
