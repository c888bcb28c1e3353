/** What the kernel dropped because a socket's receive buffer was full, from its table of UDP sockets (proc_net_udp(5)). */
import { readFileSync } from 'node:fs';
import type { LinkEndpoint } from '../datapath/link.ts';

const TABLE = '/proc/net/udp';
const LOCAL_ADDRESS = 1;

/** 0 where there is no such table, as on macOS. */
export function kernelDrops(local: LinkEndpoint): number {
  let table: string;
  try {
    table = readFileSync(TABLE, 'utf8');
  } catch {
    return 0;
  }
  return dropsIn(table, local);
}

/**
 * The last column of the rows of the sockets at that address, one of each peer perhaps; it stands there as a little-endian
 * hexadecimal number.
 */
export function dropsIn(table: string, { address, port }: LinkEndpoint): number {
  const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');
  const bytes = address.split('.').reverse();
  const wanted = `${bytes.map((byte) => hex(Number(byte), 2)).join('')}:${hex(port, 4)}`;
  let drops = 0;
  for (const line of table.split('\n')) {
    const columns = line.trim().split(/\s+/);
    if (columns[LOCAL_ADDRESS] === wanted) drops += Number(columns.at(-1));
  }
  return drops;
}
