/** `conntrack` (conntrack-tools): the table and what is deleted of it, by filters, its statistics, its size. */
import { familyOf, isInNetwork, parseAddress, parsePrefix } from '../../shared/wire/ip-address.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import { type ConnectionRow, connectionRows, connectionText, formatConnections } from '../datapath/show/conntrack.ts';
import { type CommandOutput, failed, printed } from './command-output.ts';
import { ConnectionEvents, type EventKind } from './connection-events.ts';
import { followOn, readFollowOn } from './follow-on.ts';

const NAME = 'conntrack v1.4.8 (conntrack-tools)';
const USAGE =
  'Usage: conntrack { -L | -E | -D | -F | -S | -C } [ -o extended ] [ -f ipv4|ipv6 ] [ -p PROTOCOL ] [ -s ADDRESS ] [ -d ADDRESS ] [ --sport PORT ] [ --dport PORT ] [ --state STATE ] [ -u STATUS ]';
const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 };

type Test = (row: ConnectionRow) => boolean;

/** By its names: what the word behind an option asks of a connection. Throws ConntrackUsageError. */
const FILTERS: readonly (readonly [names: readonly string[], filter: (text: string) => Test])[] = [
  [['-p', '--proto', '--protonum'], byProtocol],
  [['-f', '--family'], byFamily],
  [['-s', '--src', '--orig-src'], (text) => byAddress(text, ({ original }) => original.src)],
  [['-d', '--dst', '--orig-dst'], (text) => byAddress(text, ({ original }) => original.dst)],
  [['-r', '--reply-src'], (text) => byAddress(text, ({ reply }) => reply.src)],
  [['-q', '--reply-dst'], (text) => byAddress(text, ({ reply }) => reply.dst)],
  [['--sport', '--orig-port-src'], (text) => byPort(text, ({ original }) => original.sport)],
  [['--dport', '--orig-port-dst'], (text) => byPort(text, ({ original }) => original.dport)],
  [['--reply-port-src'], (text) => byPort(text, ({ reply }) => reply.sport)],
  [['--reply-port-dst'], (text) => byPort(text, ({ reply }) => reply.dport)],
  [['--state'], (text) => (row) => row.state === text],
  [['-u', '--status'], byStatus],
];
const EVENT_MASKS: Readonly<Record<string, EventKind>> = { NEW: 'NEW', UPDATES: 'UPDATE', DESTROY: 'DESTROY' };
const WITHOUT_WORD = new Set([
  '-E',
  '--event',
  '-L',
  '--dump',
  '-D',
  '--delete',
  '-F',
  '--flush',
  '-S',
  '--stats',
  '-C',
  '--count',
]);
/** They mean something of one protocol only. */
const NEED_PROTOCOL = new Set(['--sport', '--dport', '--orig-port-src', '--orig-port-dst', '--state']);

class ConntrackUsageError extends Error {}

export function conntrackCommand(datapath: NodeDatapath, words: readonly string[]): CommandOutput {
  const has = (...names: string[]): boolean => names.some((name) => words.includes(name));
  if (has('-S', '--stats')) return printed(statistics(datapath));
  if (has('-C', '--count')) return printed(`${found(datapath, () => true).length}\n`);
  if (has('-F', '--flush')) {
    datapath.conntrack.delete(() => true);
    return { stdout: '', stderr: `${NAME}: connection tracking table has been emptied.\n`, code: 0 };
  }
  if (has('-E', '--event')) return events(datapath, words);
  if (!has('-L', '--dump', '-D', '--delete')) return failed(USAGE, 2);
  let rows: readonly ConnectionRow[];
  try {
    rows = found(datapath, readFilter(words));
  } catch (error) {
    if (!(error instanceof ConntrackUsageError)) throw error;
    return usage(error);
  }
  const stdout = text(rows, words[words.findIndex((word) => word === '-o' || word === '--output') + 1] ?? '');
  if (has('-L', '--dump'))
    return { stdout, stderr: `${NAME}: ${rows.length} flow entries have been shown.\n`, code: 0 };
  const doomed = new Set(rows.map(({ connection }) => connection));
  const deleted = datapath.conntrack.delete((connection) => doomed.has(connection));
  return { stdout, stderr: `${NAME}: ${deleted} flow entries have been deleted.\n`, code: deleted === 0 ? 1 : 0 };
}

const logs = new WeakMap<NodeDatapath, ConnectionEvents>();

function eventsOf(datapath: NodeDatapath): ConnectionEvents {
  const present = logs.get(datapath);
  if (present !== undefined) return present;
  const made = new ConnectionEvents(datapath.conntrack, () => datapath.root.engine.nowUs);
  logs.set(datapath, made);
  return made;
}

/** `-E [-e NEW,UPDATES,DESTROY] [FILTER]`: what happens until it is interrupted. */
function events(datapath: NodeDatapath, words: readonly string[]): CommandOutput {
  const { asked, after } = readFollowOn(words);
  const mask = asked.findIndex((word) => word === '-e' || word === '--event-mask');
  try {
    const kinds = mask === -1 ? Object.values(EVENT_MASKS) : eventKinds(asked[mask + 1] ?? '');
    const matches = readFilter(mask === -1 ? asked : asked.filter((_, index) => index !== mask && index !== mask + 1));
    const { log } = eventsOf(datapath);
    const { events: happened, lost, next } = log.since(after ?? log.follow());
    const shown = happened.filter(({ kind, row }) => kinds.includes(kind) && matches(row));
    return {
      stdout: shown.map(({ kind, row }) => `${`[${kind}]`.padStart(9)} ${connectionText(row)}\n`).join(''),
      stderr: lost ? 'WARNING: We have hit ENOBUFS! We are losing events.\n' : '',
      code: 0,
      next: followOn('conntrack', asked, next),
    };
  } catch (error) {
    if (error instanceof ConntrackUsageError) return usage(error);
    throw error;
  }
}

function eventKinds(text: string): EventKind[] {
  return text.split(',').map((name) => {
    const kind = EVENT_MASKS[name.toUpperCase()];
    if (kind === undefined) throw new ConntrackUsageError(`bad parameter \`${name}'`);
    return kind;
  });
}

function usage({ message }: ConntrackUsageError): CommandOutput {
  return failed(`${NAME}: ${message}\nTry \`conntrack -h' or 'conntrack --help' for more information.`, 2);
}

function found({ conntrack, root }: NodeDatapath, matches: Test): ConnectionRow[] {
  return connectionRows(conntrack, root.engine.nowUs).filter(matches);
}

function readFilter(words: readonly string[]): Test {
  const tests: Test[] = [];
  const namesProtocol = words.some((word) => word === '-p' || word.startsWith('--proto'));
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (WITHOUT_WORD.has(word) || word === 'conntrack') continue;
    const filter = FILTERS.find(([names]) => names.includes(word))?.[1];
    const isOutput = word === '-o' || word === '--output';
    if ((filter === undefined && !isOutput) || (NEED_PROTOCOL.has(word) && !namesProtocol)) {
      throw new ConntrackUsageError(`unknown option \`${word}'`);
    }
    const value = words[++at];
    if (value === undefined) throw new ConntrackUsageError(`option \`${word}' requires an argument`);
    if (filter !== undefined) tests.push(filter(value));
  }
  return (row) => tests.every((test) => test(row));
}

function byProtocol(text: string): Test {
  const number = PROTOCOLS[text.toLowerCase()] ?? (/^[0-9]+$/.test(text) ? Number(text) : undefined);
  if (number === undefined) throw new ConntrackUsageError(`\`${text}' unsupported protocol`);
  return ({ protocolNumber }) => protocolNumber === number;
}

function byFamily(text: string): Test {
  if (text !== 'ipv4' && text !== 'ipv6') throw new ConntrackUsageError(`\`${text}' unsupported protocol`);
  return ({ original }) => original.src.includes(':') === (text === 'ipv6');
}

/** An address, or a network in CIDR form. */
function byAddress(text: string, field: (row: ConnectionRow) => string): Test {
  const whole = parseAddress(text) === undefined ? text : `${text}/${text.includes(':') ? 128 : 32}`;
  const network = parsePrefix(whole);
  if (network === undefined) throw new ConntrackUsageError(`Invalid IP address \`${text}'`);
  return (row) => {
    const address = parseAddress(field(row));
    if (address === undefined || familyOf(address) !== familyOf(network.address)) return false;
    return isInNetwork(address, network.address, network.prefixLength);
  };
}

function byPort(text: string, field: (row: ConnectionRow) => number | undefined): Test {
  if (!/^[0-9]+$/.test(text)) throw new ConntrackUsageError(`\`${text}' is no port`);
  return (row) => field(row) === Number(text);
}

function byStatus(text: string): Test {
  const tests: Readonly<Record<string, Test>> = {
    ASSURED: ({ assured }) => assured,
    SEEN_REPLY: ({ replied }) => replied,
    UNSET: () => true,
  };
  const wanted = text.split(',').map((name) => tests[name.toUpperCase()]);
  if (wanted.includes(undefined)) throw new ConntrackUsageError(`bad parameter \`${text}'`);
  return (row) => wanted.every((test) => test?.(row));
}

function text(rows: readonly ConnectionRow[], output: string): string {
  if (!output.split(',').includes('extended')) return formatConnections(rows);
  return rows
    .map((row) => `${row.original.src.includes(':') ? 'ipv6     10' : 'ipv4     2'} ${formatConnections([row])}`)
    .join('');
}

/** One line for the one processor that a node is. */
function statistics(datapath: NodeDatapath): string {
  const { invalidPackets, connectionsRefused, connectionsDroppedEarly } = datapath.counters();
  return (
    `cpu=0   \tfound=0 invalid=${invalidPackets} insert=0 insert_failed=0 drop=${connectionsRefused} ` +
    `early_drop=${connectionsDroppedEarly} error=0 search_restart=0 clash_resolve=0 chaintoolong=0 \n`
  );
}
