/** `ip`: address, link, neigh and route listings (ip(8)); objects and commands may be shortened as there. */
import type { Host } from '../../shared/netstack/host.ts';
import type { Fib } from '../../shared/netstack/route.ts';
import { MAIN_TABLE } from '../../shared/netstack/routing-policy.ts';
import { type IpFamily, parseAddress } from '../../shared/wire/ip-address.ts';
import { addressRows, formatAddresses, formatAddressLines, type LinkWithAddresses } from '../datapath/show/address.ts';
import { formatLinks, type LinkRow, linkRows } from '../datapath/show/link.ts';
import type { ShownNamespace } from '../datapath/show/namespace.ts';
import { formatNeighbours, neighbourRows } from '../datapath/show/neighbour.ts';
import { formatRouteGet, formatRoutes, routeRows } from '../datapath/show/route.ts';
import { formatRoutingRules, routingRuleRows } from '../datapath/show/routing-rule.ts';
import { type CommandOutput, failed, printed, printedJson } from './command-output.ts';

const OBJECTS = ['address', 'link', 'neighbour', 'neighbor', 'netns', 'route', 'rule'] as const;
const USAGE =
  'Usage: ip [ -j ] [ -d ] [ -s ] [ -4 | -6 ] { address | link | neighbour } [ show ] [ dev DEVICE ]\n' +
  '       ip [ -j ] [ -6 ] route [ show [ table NUMBER ] | get ADDRESS ]\n' +
  '       ip [ -j ] rule [ show ]\n' +
  '       ip [ -j ] netns [ list | exec NAME COMMAND ... ]';

interface IpOptions {
  readonly json: boolean;
  readonly details: boolean;
  readonly statistics: boolean;
  readonly brief: boolean;
  /** `-o`: a line for each link or address. */
  readonly oneLine: boolean;
  /** `-4`, `-6`; both where neither was said, but routes are then IPv4's. */
  readonly family: IpFamily | undefined;
}

export function ipCommand(namespace: ShownNamespace, words: readonly string[]): CommandOutput {
  const flags = words.filter((word) => word.startsWith('-'));
  const [object = '', ...rest] = words.filter((word) => !word.startsWith('-'));
  const options: IpOptions = {
    json: has(flags, 'j', 'json'),
    details: has(flags, 'd', 'details'),
    statistics: has(flags, 's', 'statistics'),
    oneLine: has(flags, 'o', 'oneline'),
    brief: flags.some((flag) => flag === '-br' || flag === '-brief'),
    family: flags.includes('-6') ? 'ipv6' : flags.includes('-4') ? 'ipv4' : undefined,
  };
  if (object === '') return { stdout: '', stderr: `${USAGE}\n`, code: 255 };
  const found = OBJECTS.find((candidate) => candidate.startsWith(object));
  switch (found) {
    case 'address':
      return show(namespace, rest, (device) => addresses(namespace, device, options));
    case 'link':
      return show(namespace, rest, (device) => links(namespace, device, options));
    case 'neighbour':
    case 'neighbor':
      return show(namespace, rest, (device) => neighbours(namespace, device, options));
    case 'netns':
      return netns(namespace, rest, options);
    case 'route':
      return routes(namespace, rest, options);
    case 'rule':
      return rules(namespace, rest, options);
    default:
      return failed(`Object "${object}" is unknown, try "ip help".`);
  }
}

function rules({ host }: ShownNamespace, [verb = 'show']: readonly string[], { json }: IpOptions): CommandOutput {
  if (!('show'.startsWith(verb) || 'list'.startsWith(verb) || verb === 'ls')) {
    return failed(`Command "${verb}" is unknown, try "ip rule help".`, 255);
  }
  return json ? printedJson(routingRuleRows(host)) : printed(formatRoutingRules(host));
}

/** `-j`, `-json`, or letters together as in `-dj`. */
function has(flags: readonly string[], letter: string, word: string): boolean {
  return flags.some(
    (flag) => flag === `-${word}` || flag === `--${word}` || (/^-[a-z0-9]{1,3}$/.test(flag) && flag.includes(letter)),
  );
}

/** `[show|list] [dev] [DEVICE]` */
function show(
  namespace: ShownNamespace,
  words: readonly string[],
  list: (device: string | undefined) => CommandOutput,
): CommandOutput {
  const [verb = 'show', ...rest] = words;
  const isVerb = 'show'.startsWith(verb) || 'list'.startsWith(verb) || verb === 'ls';
  const names = (isVerb ? rest : words).filter((word) => word !== 'dev');
  const device = names[0];
  if (device !== undefined && !namespace.devices.some(({ name }) => name === device)) {
    return failed(`Device "${device}" does not exist.`);
  }
  return list(device);
}

/** `exec` is a program's business (`node/netns-exec.ts`), as it runs any command. */
function netns(
  { named }: ShownNamespace,
  [verb = 'list', ...rest]: readonly string[],
  { json }: IpOptions,
): CommandOutput {
  if (!('list'.startsWith(verb) || 'show'.startsWith(verb) || verb === 'ls')) {
    return failed(`Command "${[verb, ...rest].join(' ')}" is unknown, try "ip netns help".`, 255);
  }
  if (json) return printedJson(named.map(({ name }, id) => ({ name, id })));
  return printed(named.map(({ name }, id) => `${name} (id: ${id})\n`).join(''));
}

function addresses(
  namespace: ShownNamespace,
  device: string | undefined,
  { json, brief, oneLine, family }: IpOptions,
): CommandOutput {
  const rows = addressRows(namespace)
    .filter((row) => device === undefined || row.ifname === device)
    .map((row) => ({ ...row, addr_info: row.addr_info.filter(({ local }) => isOf(family, local)) }))
    .filter((row) => family === undefined || row.addr_info.length > 0);
  if (json) return printedJson(rows);
  const cells = (row: LinkWithAddresses) =>
    row.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen} `).join('');
  if (oneLine) return printed(formatAddressLines(rows));
  return printed(brief ? briefText(rows, cells) : formatAddresses(rows));
}

function links(namespace: ShownNamespace, device: string | undefined, options: IpOptions): CommandOutput {
  const rows = linkRows(namespace).filter((row) => device === undefined || row.ifname === device);
  if (options.json) return printedJson(rows);
  if (options.brief) return printed(briefText(rows, briefLink));
  if (!options.oneLine) return printed(formatLinks(rows, options));
  return printed(rows.map((row) => `${formatLinks([row], options).trimEnd().replaceAll('\n', '\\')}\n`).join(''));
}

function briefLink({ address, flags }: LinkRow): string {
  return `${address} <${flags.join(',')}> `;
}

/** `-br`: a line a device. */
function briefText<Row extends LinkRow>(rows: readonly Row[], rest: (row: Row) => string): string {
  return rows
    .map((row) => {
      const name = row.link_index === undefined ? row.ifname : `${row.ifname}@if${row.link_index}`;
      return `${name.padEnd(16)} ${row.operstate.padEnd(14)} ${rest(row)}\n`;
    })
    .join('');
}

function isOf(family: IpFamily | undefined, address: string): boolean {
  return family === undefined || address.includes(':') === (family === 'ipv6');
}

function neighbours(namespace: ShownNamespace, device: string | undefined, { json, family }: IpOptions): CommandOutput {
  const rows = neighbourRows(namespace.host).filter(
    (row) => (device === undefined || row.dev === device) && isOf(family, row.dst),
  );
  return json ? printedJson(rows) : printed(formatNeighbours(rows));
}

function routes(namespace: ShownNamespace, words: readonly string[], { json, family }: IpOptions): CommandOutput {
  const [verb = 'show', ...rest] = words;
  if ('get'.startsWith(verb)) {
    const destination = parseAddress(rest[0] ?? '');
    if (destination === undefined) return failed(`Error: inet prefix is expected rather than "${rest[0] ?? ''}".`);
    const text = formatRouteGet(namespace.host, destination);
    return text === undefined ? failed('RTNETLINK answers: Network is unreachable', 2) : printed(text);
  }
  const dev = rest.indexOf('dev');
  const device = dev === -1 ? undefined : rest[dev + 1];
  const table = tableOf(namespace.host, rest);
  if (typeof table === 'string') return failed(table, 2);
  const rows = routeRows(namespace.host, family ?? 'ipv4', table).filter(
    (row) => device === undefined || row.dev === device,
  );
  return json ? printedJson(rows) : printed(formatRoutes(rows));
}

/** `table NUMBER`; the error where there is none. */
function tableOf({ routes: main, routingPolicy }: Host, words: readonly string[]): Fib | string {
  const at = words.indexOf('table');
  if (at === -1) return main;
  const name = words[at + 1] ?? '';
  if (name === 'main' || Number(name) === MAIN_TABLE) return main;
  if (!/^\d+$/.test(name)) return `Error: argument "${name}" is wrong: table id value is invalid`;
  return routingPolicy?.table(Number(name)) ?? 'Error: ipv4: FIB table does not exist.\nDump terminated';
}
