import { describe, expect, it } from 'vitest';
import { ACK, FIN, PSH, RST, SYN } from '../../shared/wire/tcp.ts';
import { nextTcpState, type TcpState, type TcpStep } from './tcp-track.ts';

type Segment = readonly [direction: '>' | '<', flags: number];

/** The states a sequence of segments goes through, from nothing. */
function walk(segments: readonly Segment[]): TcpStep[] {
  let state: TcpState = 'NONE';
  return segments.map(([direction, flags]) => {
    const step = nextTcpState(state, flags, direction === '<');
    if (step !== 'invalid' && step !== 'reopen') state = step;
    return step;
  });
}

const handshake: Segment[] = [
  ['>', SYN],
  ['<', SYN | ACK],
  ['>', ACK],
];
const opened: TcpStep[] = ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED'];

describe('nextTcpState', () => {
  it.each<[string, Segment[], TcpStep[]]>([
    ['handshake and data', [...handshake, ['>', PSH | ACK], ['<', ACK]], [...opened, 'ESTABLISHED', 'ESTABLISHED']],
    [
      'orderly close by the client',
      [...handshake, ['>', FIN | ACK], ['<', ACK], ['<', FIN | ACK], ['>', ACK]],
      [...opened, 'FIN_WAIT', 'CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT'],
    ],
    [
      'close by the server, both FINs crossing',
      [...handshake, ['<', FIN | ACK], ['>', FIN | ACK], ['<', ACK], ['>', ACK]],
      [...opened, 'FIN_WAIT', 'LAST_ACK', 'TIME_WAIT', 'TIME_WAIT'],
    ],
    ['reset', [...handshake, ['<', RST]], [...opened, 'CLOSE']],
    [
      'refused',
      [
        ['>', SYN],
        ['<', RST | ACK],
      ],
      ['SYN_SENT', 'CLOSE'],
    ],
    [
      'simultaneous open',
      [
        ['>', SYN],
        ['<', SYN],
        ['>', SYN | ACK],
        ['>', ACK],
      ],
      ['SYN_SENT', 'SYN_SENT2', 'SYN_RECV', 'ESTABLISHED'],
    ],
    [
      'SYN sent again',
      [
        ['>', SYN],
        ['>', SYN],
        ['<', SYN | ACK],
        ['<', SYN | ACK],
      ],
      ['SYN_SENT', 'SYN_SENT', 'SYN_RECV', 'SYN_RECV'],
    ],
    [
      'picked up in the middle',
      [
        ['>', ACK],
        ['<', ACK],
      ],
      ['ESTABLISHED', 'ESTABLISHED'],
    ],
    ['a connection after a reset one', [...handshake, ['>', RST], ['>', SYN]], [...opened, 'CLOSE', 'reopen']],
    ['answers without a question', [['>', SYN | ACK]], ['invalid']],
    [
      'RST, FIN and nothing as first segments',
      [
        ['>', RST],
        ['>', FIN | ACK],
        ['>', 0],
      ],
      ['invalid', 'invalid', 'invalid'],
    ],
    ['SYN with FIN', [['>', SYN | FIN]], ['invalid']],
    [
      'data before the handshake is through',
      [
        ['>', SYN],
        ['<', ACK],
      ],
      ['SYN_SENT', 'invalid'],
    ],
  ])('%s', (_, segments, states) => {
    expect(walk(segments)).toEqual(states);
  });
});
