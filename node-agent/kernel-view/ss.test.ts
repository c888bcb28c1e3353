/** `ss` against what iproute2 6.1 printed for the same sockets in a network namespace of Linux. */
import { describe, expect, it } from 'vitest';
import type { SocketRow } from './socket-rows.ts';
import { parseSsFilter } from './ss-filter.ts';
import { ssTable } from './ss-table.ts';

function tcp(state: string, local: string, remote: string, queues: readonly [number, number] = [0, 0]): SocketRow {
  const [localAddress = '', localPort] = split(local);
  const [remoteAddress = '', remotePort] = split(remote);
  const [receiveQueueBytes, sendQueueBytes] = queues;
  return {
    protocol: 'tcp',
    state,
    receiveQueueBytes,
    sendQueueBytes,
    localAddress,
    localPort: Number(localPort),
    remoteAddress,
    remotePort: remotePort === '*' ? 0 : Number(remotePort),
    memory: { receiveBufferBytes: 0, sendBufferBytes: 0, drops: 0 },
  };
}

function split(endpoint: string): string[] {
  const at = endpoint.lastIndexOf(':');
  return [endpoint.slice(0, at), endpoint.slice(at + 1)];
}

const SOCKETS = [
  tcp('LISTEN', '127.0.0.1:8080', '0.0.0.0:*', [0, 5]),
  tcp('LISTEN', '0.0.0.0:80', '0.0.0.0:*', [0, 511]),
  tcp('FIN-WAIT-2', '127.0.0.1:57968', '127.0.0.1:80'),
  tcp('ESTAB', '127.0.0.1:8080', '127.0.0.1:40546'),
  tcp('ESTAB', '127.0.0.1:40546', '127.0.0.1:8080'),
  tcp('CLOSE-WAIT', '127.0.0.1:80', '127.0.0.1:57968', [1, 0]),
  tcp('LISTEN', '*:443', '*:*', [0, 1]),
];

/** As `ss -tan FILTER`, which hides the state where the filter names one. */
function ss(filter: string, headings = true): string[] {
  const { states, matches } = parseSsFilter(filter.split(' ').filter(Boolean));
  const rows = SOCKETS.filter((row) => (states === undefined || states.has(row.state)) && matches(row));
  return ssTable(rows, { protocol: false, state: states?.size !== 1, headings })
    .split('\n')
    .slice(0, -1);
}

describe('the table', () => {
  it('has addresses and ports meet at a colon', () => {
    expect(ss('')).toEqual([
      'State      Recv-Q Send-Q Local Address:Port  Peer Address:Port Process',
      'LISTEN     0      5          127.0.0.1:8080       0.0.0.0:*           ',
      'LISTEN     0      511          0.0.0.0:80         0.0.0.0:*           ',
      'FIN-WAIT-2 0      0          127.0.0.1:57968    127.0.0.1:80          ',
      'ESTAB      0      0          127.0.0.1:8080     127.0.0.1:40546       ',
      'ESTAB      0      0          127.0.0.1:40546    127.0.0.1:8080        ',
      'CLOSE-WAIT 1      0          127.0.0.1:80       127.0.0.1:57968       ',
      'LISTEN     0      1                  *:443              *:*           ',
    ]);
  });

  it('names the programs with -p, a space before them, and pads all of the column', () => {
    const rows = [tcp('LISTEN', '127.0.0.1:80', '0.0.0.0:*', [0, 511]), tcp('LISTEN', '*:8080', '*:*', [0, 511])];
    const users = ({ localPort }: SocketRow) => (localPort === 80 ? ' users:(("node",pid=17488,fd=20))' : '');
    const table = (headings: boolean) =>
      ssTable(rows, { protocol: false, state: true, headings }, users).split('\n').slice(0, -1);
    expect(table(true)).toEqual([
      'State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess                          ',
      'LISTEN 0      511        127.0.0.1:80        0.0.0.0:*    users:(("node",pid=17488,fd=20))',
      'LISTEN 0      511                *:8080            *:*                                    ',
    ]);
    expect(table(false)).toEqual([
      'LISTEN 0      511    127.0.0.1:80   0.0.0.0:* users:(("node",pid=17488,fd=20))',
      'LISTEN 0      511            *:8080       *:*                                 ',
    ]);
  });

  it('has no column for the only state, and no headings with -H', () => {
    expect(ss('state established')).toEqual([
      'Recv-Q Send-Q Local Address:Port  Peer Address:Port Process',
      '0      0          127.0.0.1:8080     127.0.0.1:40546       ',
      '0      0          127.0.0.1:40546    127.0.0.1:8080        ',
    ]);
    expect(ss('state established', false)).toEqual([
      '0      0      127.0.0.1:8080  127.0.0.1:40546',
      '0      0      127.0.0.1:40546 127.0.0.1:8080 ',
    ]);
  });
});

/** Which of the sockets a filter leaves, as numbers of `SOCKETS`. */
function left(filter: string): number[] {
  const { states, matches } = parseSsFilter(filter.split(' ').filter(Boolean));
  return SOCKETS.flatMap((row, at) => ((states === undefined || states.has(row.state)) && matches(row) ? [at] : []));
}

it.each([
  ['state listening', [0, 1, 6]],
  ['state all', [0, 1, 2, 3, 4, 5, 6]],
  ['state connected', [2, 3, 4, 5]],
  ['state established state close-wait', [3, 4, 5]],
  ['exclude established', [0, 1, 2, 5, 6]],
  ['dst 127.0.0.1', [2, 3, 4, 5]],
  ['dst 127.0.0.1:80', [2]],
  ['sport = :80', [1, 5]],
  ['sport = :http', [1, 5]],
  ['sport eq 80', [1, 5]],
  ['( sport = :80 or dport = :8080 )', [1, 4, 5]],
  ['sport != :80 and dst 127.0.0.0/8', [2, 3, 4]],
  ['src 127.0.0.1 dst 127.0.0.1', [2, 3, 4, 5]],
  ['dport > :8000', [3, 4, 5]],
  ['not dst 127.0.0.1', [0, 1, 6]],
  ['state established sport = :8080', [3]],
])('ss -tan %s', (filter, expected) => {
  expect(left(filter)).toEqual(expected);
});

it.each([
  ['state bogus', 'ss: wrong state name: bogus', 255],
  ['bogus', 'Error: an inet prefix is expected rather than "bogus".\nCannot parse dst/src address.', 1],
  ['dst', 'ss: bison bellows (while parsing filter): "syntax error!" Sorry.', 255],
  ['( sport = :80', 'ss: bison bellows (while parsing filter): "syntax error!" Sorry.', 255],
])('ss -tan %s says what is wrong', (filter, message, code) => {
  expect(() => parseSsFilter(filter.split(' '))).toThrow(expect.objectContaining({ message, code }));
});
