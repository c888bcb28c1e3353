/** The counters of a device as `ip -s link`, and `ip -s -s link`, show them. */
import type { DeviceCounters } from '../../../shared/netstack/device.ts';

export interface LinkStatistics {
  readonly rx: DirectionStatistics;
  readonly tx: DirectionStatistics;
}

interface DirectionStatistics {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

export function linkStatistics(counters: DeviceCounters): LinkStatistics {
  return {
    rx: { bytes: counters.rxBytes, packets: counters.rxPackets, errors: 0, dropped: counters.rxDropped },
    tx: { bytes: counters.txBytes, packets: counters.txPackets, errors: 0, dropped: counters.txDropped },
  };
}

/** No emulated wire has errors; `more` shows of which kinds they would be. */
export function statisticsJson({ rx, tx }: LinkStatistics, more: boolean): unknown {
  const received = { length_errors: 0, crc_errors: 0, frame_errors: 0, fifo_errors: 0, missed_errors: 0 };
  const sent = { aborted_errors: 0, fifo_errors: 0, window_errors: 0, heartbeat_errors: 0, carrier_changes: 0 };
  return {
    rx: { ...rx, over_errors: 0, multicast: 0, ...(more ? received : {}) },
    tx: { ...tx, carrier_errors: 0, collisions: 0, ...(more ? sent : {}) },
  };
}

/** iproute2's columns: at least as wide as these, and as the widest number of both directions. */
const RX_TITLES = ['bytes', 'packets', 'errors', 'dropped', 'missed', 'mcast'];
const TX_TITLES = ['bytes', 'packets', 'errors', 'dropped', 'carrier', 'collsns'];
const LEAST_WIDTHS = [10, 7, 6, 7, 7, 7];
const DIRECTION_WIDTH = 4;
const RX_ERRORS = [
  '    RX errors:  length    crc   frame    fifo overrun',
  '                     0      0       0       0       0 ',
];
const TX_ERRORS = [
  '    TX errors: aborted   fifo  window heartbt transns',
  '                     0      0       0       0       0 ',
];

export function statisticsLines(stats: LinkStatistics, more: boolean): string[] {
  const numbers = ({ bytes, packets, errors, dropped }: DirectionStatistics) => [bytes, packets, errors, dropped, 0, 0];
  const [received, sent] = [numbers(stats.rx), numbers(stats.tx)];
  const widths = LEAST_WIDTHS.map((least, at) => Math.max(least, `${received[at]}`.length, `${sent[at]}`.length));
  const cells = (values: readonly (string | number)[], narrower = 0) =>
    values.map((value, at) => `${value}`.padStart(widths[at]! - (at === 0 ? narrower : 0))).join(' ');
  return [
    `    RX: ${cells(RX_TITLES, DIRECTION_WIDTH)}           `,
    `    ${cells(received)} `,
    ...(more ? RX_ERRORS : []),
    `    TX: ${cells(TX_TITLES, DIRECTION_WIDTH)}           `,
    `    ${cells(sent)} `,
    ...(more ? TX_ERRORS : []),
  ];
}
