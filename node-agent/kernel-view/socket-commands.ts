/** `ss` (ss(8)) and `netstat` (net-tools), numeric; without options established connections, `-a` all, `-l` listening, `-i` TCP's figures. */
import type { Host } from '../../shared/netstack/host.ts';
import { type CommandOutput, printed } from './command-output.ts';
import { netstatRoutes } from './net-tools.ts';
import { type SocketRow, socketRows } from './socket-rows.ts';

export function ssCommand(host: Host, words: readonly string[]): CommandOutput {
  const flags = lettersOf(words);
  const rows = chosen(host, flags);
  const lines = [['Netid', 'State', 'Recv-Q', 'Send-Q', 'Local Address:Port', 'Peer Address:Port', 'Process']];
  for (const row of rows) {
    const { protocol, state, receiveQueueBytes, sendQueueBytes } = row;
    lines.push([protocol, state, `${receiveQueueBytes}`, `${sendQueueBytes}`, local(row), remote(row), '']);
  }
  const shown = flags.has('H') ? lines.slice(1) : lines;
  // One protocol needs no column for it.
  const onlyOne = flags.has('t') !== flags.has('u');
  const text = columns(onlyOne ? shown.map((line) => line.slice(1)) : shown);
  return printed(flags.has('i') ? withInfo(text, rows) : text);
}

/** The figures of each connection under its line; the rows are the last lines of the table. */
function withInfo(table: string, rows: readonly SocketRow[]): string {
  const lines = table.trimEnd().split('\n');
  const heading = lines.length - rows.length;
  const shown = lines.map((line, index) => {
    const info = rows[index - heading]?.info;
    return info === undefined ? `${line}\n` : `${line}\n${info()}\n`;
  });
  return shown.join('');
}

export function netstatCommand(host: Host, words: readonly string[]): CommandOutput {
  const flags = lettersOf(words);
  if (flags.has('r')) return netstatRoutes(host);
  const heading = `Active Internet connections (${flags.has('a') ? 'servers and established' : flags.has('l') ? 'only servers' : 'w/o servers'})`;
  const lines = [['Proto', 'Recv-Q', 'Send-Q', 'Local Address', 'Foreign Address', 'State']];
  for (const row of chosen(host, flags)) {
    const state = row.protocol === 'udp' ? '' : netstatState(row.state);
    lines.push([row.protocol, `${row.receiveQueueBytes}`, `${row.sendQueueBytes}`, local(row), remote(row), state]);
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
    route: 'r',
  };
  const letters = new Set<string>();
  for (const word of words) {
    if (word.startsWith('--')) letters.add(long[word.slice(2)] ?? '');
    else if (word.startsWith('-')) for (const letter of word.slice(1)) letters.add(letter);
  }
  return letters;
}

function chosen(host: Host, flags: ReadonlySet<string>): SocketRow[] {
  const bothProtocols = flags.has('t') === flags.has('u');
  return socketRows(host).filter((row) => {
    if (!bothProtocols && !flags.has(row.protocol === 'tcp' ? 't' : 'u')) return false;
    const listening = row.state === 'LISTEN' || row.state === 'UNCONN';
    if (flags.has('a')) return true;
    return flags.has('l') ? listening : !listening && row.state !== 'TIME-WAIT';
  });
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

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
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
