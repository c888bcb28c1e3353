import { expect, it } from 'vitest';
import { dropsIn, KernelDrops, rowsOf } from './udp-socket-table.ts';

const TABLE = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  298: 0A01007F:12B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 81234 2 0000000000000000 17
  298: 0A01007F:12B5 0B01007F:12B5 01 00000000:00000000 00:00000000 00000000     0        0 81236 2 0000000000000000 3
  299: 0B01007F:12B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 81235 2 0000000000000000 0
`;

it("finds the rows of a link's sockets in the kernel's table, and what they dropped", () => {
  expect(dropsIn(TABLE, { address: '127.0.1.10', port: 4789 })).toBe(17 + 3);
  expect(dropsIn(TABLE, { address: '127.0.1.11', port: 4789 })).toBe(0);
  expect(dropsIn(TABLE, { address: '127.0.1.10', port: 4790 })).toBe(0);
  expect(rowsOf(TABLE, { address: '127.0.1.10', port: 4789 })).toHaveLength(2);
});

it('what was dropped at a socket of a peer that is gone counts on', () => {
  let table = TABLE;
  const drops = new KernelDrops({ address: '127.0.1.10', port: 4789 }, () => table);
  expect(drops.count()).toBe(20);
  drops.willClose({ address: '127.0.1.11', port: 4789 });
  table = TABLE.split('\n').toSpliced(2, 1).join('\n');
  expect(drops.count()).toBe(20);
});
