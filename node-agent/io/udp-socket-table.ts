/** The kernel's table of UDP sockets (proc_net_udp(5)): how many are at an address, and what it dropped because their buffers were full. */
import { readFileSync } from 'node:fs';
import type { LinkEndpoint } from '../datapath/link.ts';

const TABLE = '/proc/net/udp';
const LOCAL_ADDRESS = 1;

/** Of all sockets at that address, one of each peer perhaps; 0 where there is no such table, as on macOS. */
export function kernelDrops(local: LinkEndpoint): number {
  return dropsIn(tableNow(), local);
}

/** 0 where there is no such table. */
export function socketsAt(local: LinkEndpoint): number {
  return rowsOf(tableNow(), local).length;
}

/** The last column. */
export function dropsIn(table: string, local: LinkEndpoint): number {
  return rowsOf(table, local).reduce((drops, columns) => drops + Number(columns.at(-1)), 0);
}

/** The columns of each; the address stands there as a little-endian hexadecimal number. */
export function rowsOf(table: string, { address, port }: LinkEndpoint): string[][] {
  const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');
  const bytes = address.split('.').reverse();
  const wanted = `${bytes.map((byte) => hex(Number(byte), 2)).join('')}:${hex(port, 4)}`;
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/));
  return rows.filter((columns) => columns[LOCAL_ADDRESS] === wanted);
}

function tableNow(): string {
  try {
    return readFileSync(TABLE, 'utf8');
  } catch {
    return '';
  }
}
