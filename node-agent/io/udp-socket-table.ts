/** The kernel's table of UDP sockets (proc_net_udp(5)): how many are at an address, and what it dropped because their buffers were full. */
import { readFileSync } from 'node:fs';
import type { LinkEndpoint } from '../datapath/link.ts';

const TABLE = '/proc/net/udp';
const LOCAL_ADDRESS = 1;
const REMOTE_ADDRESS = 2;

/** What the kernel dropped at a link's sockets, of which there may be one for each peer; with those closed since, so that it never falls. */
export class KernelDrops {
  private readonly local: LinkEndpoint;
  private readonly table: () => string;
  private atClosed = 0;

  constructor(local: LinkEndpoint, table = tableNow) {
    this.local = local;
    this.table = table;
  }

  /** 0 where there is no such table, as on macOS. */
  count(): number {
    return this.atClosed + dropsIn(this.table(), this.local);
  }

  /** To be called before the socket that is connected to it is closed. */
  willClose(remote: LinkEndpoint): void {
    this.atClosed += dropsIn(this.table(), this.local, remote);
  }
}

/** 0 where there is no such table. */
export function socketsAt(local: LinkEndpoint): number {
  return rowsOf(tableNow(), local).length;
}

/** The last column; of all sockets there, or of those that are connected to one endpoint. */
export function dropsIn(table: string, local: LinkEndpoint, remote?: LinkEndpoint): number {
  const rows = rowsOf(table, local).filter(
    (columns) => remote === undefined || columns[REMOTE_ADDRESS] === endpointText(remote),
  );
  return rows.reduce((drops, columns) => drops + Number(columns.at(-1)), 0);
}

/** The columns of each. */
export function rowsOf(table: string, local: LinkEndpoint): string[][] {
  const wanted = endpointText(local);
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/));
  return rows.filter((columns) => columns[LOCAL_ADDRESS] === wanted);
}

/** As it stands there: the address a little-endian hexadecimal number. */
function endpointText({ address, port }: LinkEndpoint): string {
  const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');
  const bytes = address.split('.').reverse();
  return `${bytes.map((byte) => hex(Number(byte), 2)).join('')}:${hex(port, 4)}`;
}

function tableNow(): string {
  try {
    return readFileSync(TABLE, 'utf8');
  } catch {
    return '';
  }
}
