/**
 * `ss` (ss(8)) with its filters and `netstat` (net-tools), numeric; without options established connections, `-a` all, `-l`
 * listening, `-i` TCP's figures, `-m` the buffers, `-p` the programs.
 */
import type { Host } from '../../shared/netstack/host.ts';
import { type CommandOutput, failed, printed } from './command-output.ts';
import { interfaceTable } from './interface-commands.ts';
import { netstatRoutes } from './net-tools.ts';
import { netstatStatistics } from './protocol-counters.ts';
import { type SocketRow, socketCounts, socketRows } from './socket-rows.ts';
import { netstatProgram, type ProcessView, ssUsers } from './socket-users.ts';
import { parseSsFilter, type SsFilter, SsFilterError } from './ss-filter.ts';
import { bracketed, ssTable } from './ss-table.ts';

export function ssCommand(host: Host, words: readonly string[], processes?: ProcessView): CommandOutput {
  const flags = lettersOf(words);
  if (flags.has('s')) return printed(ssSummary(host));
  let filter: SsFilter;
  try {
    filter = parseSsFilter(words.slice(operandsAt(words)));
  } catch (error) {
    if (error instanceof SsFilterError) return failed(error.message, error.code);
    throw error;
  }
  const rows = ofProtocols(host, flags).filter((row) => isShown(row, flags, filter) && filter.matches(row));
  // One protocol needs no column for it, nor does one state.
  const columns = {
    protocol: flags.has('t') === flags.has('u'),
    state: filter.states?.size !== 1,
    headings: !flags.has('H'),
  };
  const users = flags.has('p') ? (row: SocketRow) => ssUsers(row, processes) : undefined;
  const text = ssTable(rows, columns, users);
  const extras = [...(flags.has('m') ? [memoryText] : []), ...(flags.has('i') ? [infoText] : [])];
  return printed(extras.length === 0 ? text : withExtras(text, rows, extras));
}

/** `ss -s` */
function ssSummary(host: Host): string {
  const { total, udp, tcp, established, timeWait, tcpIpv6, udpIpv6 } = socketCounts(host);
  const row = (name: string, all: number, ipv6: number): string =>
    `${name}\t  ${String(all).padEnd(10)}${String(all - ipv6).padEnd(10)}${String(ipv6).padEnd(10)}\n`;
  return (
    `Total: ${total}\nTCP:   ${tcp} (estab ${established}, closed ${timeWait}, orphaned 0, timewait ${timeWait})\n\n` +
    `Transport Total     IP        IPv6\n${row('RAW', 0, 0)}${row('UDP', udp, udpIpv6)}${row('TCP', tcp - timeWait, tcpIpv6)}` +
    `${row('INET', udp + tcp - timeWait, udpIpv6 + tcpIpv6)}${row('FRAG', 0, 0)}\n`
  );
}

/** Options stand first; a filter follows. */
function operandsAt(words: readonly string[]): number {
  const at = words.findIndex((word) => !word.startsWith('-'));
  return at === -1 ? words.length : at;
}

function isShown(row: SocketRow, flags: ReadonlySet<string>, { states }: SsFilter): boolean {
  if (flags.has('4') && row.localAddress.includes(':')) return false;
  if (flags.has('6') && !row.localAddress.includes(':') && row.localAddress !== '*') return false;
  return states === undefined ? isAsked(row, flags) : states.has(row.state);
}

type Extra = (row: SocketRow) => string | undefined;

/** What more there is of each socket under its line; the rows are the last lines of the table. */
function withExtras(table: string, rows: readonly SocketRow[], extras: readonly Extra[]): string {
  if (table === '') return '';
  const lines = table.replace(/\n$/, '').split('\n');
  const heading = lines.length - rows.length;
  const shown = lines.map((line, index) => {
    const row = rows[index - heading];
    const texts = row === undefined ? [] : extras.map((extra) => extra(row)).filter((text) => text !== undefined);
    return texts.length === 0 ? `${line}\n` : `${line}\n\t ${texts.join(' ')}\n`;
  });
  return shown.join('');
}

const infoText: Extra = (row) => row.info?.();

/** `-m`: what waits in the buffers, and how much they take. */
const memoryText: Extra = ({ memory, state, receiveQueueBytes, sendQueueBytes }) => {
  const [received, queued] = state === 'LISTEN' ? [0, 0] : [receiveQueueBytes, sendQueueBytes];
  const { receiveBufferBytes, sendBufferBytes, drops } = memory;
  return `skmem:(r${received},rb${receiveBufferBytes},t0,tb${sendBufferBytes},f0,w${queued},o0,bl0,d${drops})`;
};

export function netstatCommand(host: Host, words: readonly string[], processes?: ProcessView): CommandOutput {
  const flags = lettersOf(words);
  if (flags.has('r')) return netstatRoutes(host);
  if (flags.has('s')) return printed(netstatStatistics(host));
  if (flags.has('i')) return printed(interfaceTable(host));
  const heading = `Active Internet connections (${flags.has('a') ? 'servers and established' : flags.has('l') ? 'only servers' : 'w/o servers'})`;
  const headings = ['Proto', 'Recv-Q', 'Send-Q', 'Local Address', 'Foreign Address', 'State'];
  const showsPrograms = flags.has('p');
  const lines = [showsPrograms ? [...headings, 'PID/Program name'] : headings];
  for (const row of ofProtocols(host, flags).filter((candidate) => isAsked(candidate, flags))) {
    const state = row.protocol === 'udp' ? '' : netstatState(row.state);
    const cells = [row.protocol, `${row.receiveQueueBytes}`, `${row.sendQueueBytes}`, local(row), remote(row), state];
    lines.push(showsPrograms ? [...cells, netstatProgram(row, processes)] : cells);
  }
  return printed(`${heading}\n${columns(lines)}`);
}

function lettersOf(words: readonly string[]): Set<string> {
  const long: Readonly<Record<string, string>> = {
    all: 'a',
    listening: 'l',
    tcp: 't',
    udp: 'u',
    numeric: 'n',
    info: 'i',
    memory: 'm',
    processes: 'p',
    program: 'p',
    programs: 'p',
    route: 'r',
    summary: 's',
    statistics: 's',
    interfaces: 'i',
    'no-header': 'H',
    ipv4: '4',
    ipv6: '6',
  };
  const letters = new Set<string>();
  for (const word of words) {
    if (word.startsWith('--')) letters.add(long[word.slice(2)] ?? '');
    else if (word.startsWith('-')) for (const letter of word.slice(1)) letters.add(letter);
  }
  return letters;
}

function ofProtocols(host: Host, flags: ReadonlySet<string>): SocketRow[] {
  const both = flags.has('t') === flags.has('u');
  return socketRows(host).filter(({ protocol }) => both || flags.has(protocol === 'tcp' ? 't' : 'u'));
}

/** By `-a` and `-l`. */
function isAsked({ state }: SocketRow, flags: ReadonlySet<string>): boolean {
  if (flags.has('a')) return true;
  const listening = state === 'LISTEN' || state === 'UNCONN';
  return flags.has('l') ? listening : !listening && state !== 'TIME-WAIT';
}

function netstatState(state: string): string {
  return state === 'ESTAB' ? 'ESTABLISHED' : state.replaceAll('-', '_').replace('FIN_WAIT_', 'FIN_WAIT');
}

function local({ localAddress, localPort }: SocketRow): string {
  return `${bracketed(localAddress)}:${localPort}`;
}

function remote({ remoteAddress, remotePort }: SocketRow): string {
  return `${bracketed(remoteAddress)}:${remotePort === 0 ? '*' : remotePort}`;
}

function columns(lines: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const line of lines)
    line.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    });
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join(' ')
          .trimEnd()}\n`,
    )
    .join('');
}
