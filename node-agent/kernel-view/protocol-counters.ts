/**
 * A namespace's counters under the names and in the order of Linux' MIB (RFC 2011, 2012, 2013; include/uapi/linux/snmp.h), for
 * `/proc/net/snmp` and `netstat`, `nstat` and `netstat -s`. What is not counted here is left out, or is 0 in the groups that programs read by place.
 */
import type { Host } from '../../shared/netstack/host.ts';

export interface CounterGroup {
  readonly name: 'Ip' | 'Icmp' | 'Tcp' | 'Udp' | 'TcpExt' | 'IpExt';
  readonly counters: readonly (readonly [name: string, value: number])[];
}

/** Reasons for which a packet was dropped, summed. */
type DropsOf = (...reasons: string[]) => number;

export function protocolCounters(host: Host): CounterGroup[] {
  const drops: DropsOf = (...reasons) => reasons.reduce((sum, reason) => sum + (host.drops.get(reason) ?? 0), 0);
  return [
    ipGroup(host, drops),
    icmpGroup(host, drops),
    tcpGroup(host, drops),
    udpGroup(host, drops),
    tcpExtension(host, drops),
    ipExtension(host),
  ];
}

function ipGroup({ counters, ipForward }: Host, drops: DropsOf): CounterGroup {
  const { ipReceived, ipDelivered, ipForwarded, ipSent, fragmentsSent, reassembled } = counters;
  return {
    name: 'Ip',
    counters: [
      ['Forwarding', ipForward ? 1 : 2],
      ['DefaultTTL', 64],
      ['InReceives', ipReceived],
      ['InHdrErrors', drops('ip-malformed', 'ip-checksum', 'ip-options-malformed', 'ttl-exceeded')],
      ['InAddrErrors', drops('martian-source', 'martian-destination', 'not-forwarding')],
      ['ForwDatagrams', ipForwarded],
      ['InUnknownProtos', drops('protocol-unknown')],
      ['InDiscards', drops('reverse-path')],
      ['InDelivers', ipDelivered],
      ['OutRequests', ipSent],
      ['OutDiscards', drops('neighbour-queue-full', 'neighbour-failed', 'no-packet-memory', 'device-down')],
      ['OutNoRoutes', drops('no-route', 'route-unreachable', 'route-prohibit', 'route-blackhole')],
      ['ReasmTimeout', drops('reassembly-timeout')],
      ['ReasmReqds', 0],
      ['ReasmOKs', reassembled],
      ['ReasmFails', drops('reassembly-full', 'reassembly-timeout', 'fragment-malformed')],
      ['FragOKs', 0],
      ['FragFails', drops('fragmentation-needed')],
      ['FragCreates', fragmentsSent],
    ],
  };
}

function icmpGroup({ counters }: Host, drops: DropsOf): CounterGroup {
  return {
    name: 'Icmp',
    counters: [
      ['InErrors', drops('icmp-malformed')],
      ['InCsumErrors', drops('icmp-checksum')],
      ['OutMsgs', counters.icmpErrorsSent],
    ],
  };
}

function tcpGroup({ tcp }: Host, drops: DropsOf): CounterGroup {
  const { counters } = tcp;
  const open = tcp.list().filter(({ state }) => state === 'ESTABLISHED' || state === 'CLOSE-WAIT');
  return {
    name: 'Tcp',
    counters: [
      ['RtoAlgorithm', 1],
      ['RtoMin', 200],
      ['RtoMax', 120_000],
      ['MaxConn', -1],
      ['ActiveOpens', counters.activeOpens],
      ['PassiveOpens', counters.passiveOpens],
      ['AttemptFails', 0],
      ['EstabResets', counters.resetsReceived],
      ['CurrEstab', open.length],
      ['InSegs', counters.segmentsReceived],
      ['OutSegs', counters.segmentsSent],
      ['RetransSegs', counters.segmentsRetransmitted],
      ['InErrs', drops('tcp-malformed', 'tcp-checksum')],
      ['OutRsts', counters.resetsSent],
      ['InCsumErrors', drops('tcp-checksum')],
    ],
  };
}

function udpGroup({ counters }: Host, drops: DropsOf): CounterGroup {
  const full = drops('udp-receive-queue-full');
  return {
    name: 'Udp',
    counters: [
      ['InDatagrams', counters.udpReceived],
      ['NoPorts', drops('udp-no-socket')],
      ['InErrors', full + drops('udp-malformed', 'udp-checksum')],
      ['OutDatagrams', counters.udpSent],
      ['RcvbufErrors', full],
      ['SndbufErrors', 0],
      ['InCsumErrors', drops('udp-checksum')],
    ],
  };
}

function tcpExtension({ tcp }: Host, drops: DropsOf): CounterGroup {
  const { counters } = tcp;
  return {
    name: 'TcpExt',
    counters: [
      ['OutOfWindowIcmps', counters.strayErrors],
      ['ListenOverflows', drops('tcp-backlog-full')],
      ['ListenDrops', drops('tcp-backlog-full')],
      ['TCPFastRetrans', counters.fastRetransmits],
      ['TCPTimeouts', counters.timeouts],
      ['TCPTimeWaitOverflow', counters.timeWaitEvicted],
      ['IPReversePathFilter', drops('reverse-path')],
      ['TCPChallengeACK', counters.challenges],
    ],
  };
}

function ipExtension({ interfaces }: Host): CounterGroup {
  let inOctets = 0;
  let outOctets = 0;
  for (const { counters } of interfaces.keys()) {
    inOctets += counters.rxBytes;
    outOctets += counters.txBytes;
  }
  return {
    name: 'IpExt',
    counters: [
      ['InOctets', inOctets],
      ['OutOctets', outOctets],
    ],
  };
}

const SNMP_GROUPS: readonly CounterGroup['name'][] = ['Ip', 'Icmp', 'Tcp', 'Udp'];

/** `/proc/net/snmp`, or, with the extensions, `/proc/net/netstat`. */
export function counterLines(host: Host, file: 'snmp' | 'netstat'): string[] {
  return protocolCounters(host)
    .filter(({ name }) => SNMP_GROUPS.includes(name) === (file === 'snmp'))
    .flatMap(({ name, counters }) => [
      `${name}: ${counters.map(([counter]) => counter).join(' ')}`,
      `${name}: ${counters.map(([, value]) => value).join(' ')}`,
    ]);
}

/** Of the protocol itself, which nstat leaves out. */
const CONSTANTS = new Set(['Forwarding', 'DefaultTTL', 'RtoAlgorithm', 'RtoMin', 'RtoMax', 'MaxConn', 'CurrEstab']);

/** `nstat [-a] [-z] [-s] [PATTERN...]`: the counters that are not 0, absolute; there is no history of an earlier call. */
export function nstatText(host: Host, words: readonly string[]): string {
  const letters = words.filter((word) => word.startsWith('-')).join('');
  const patterns = words.filter((word) => !word.startsWith('-')).map(globPattern);
  const rows = protocolCounters(host)
    .flatMap(({ name, counters }) =>
      counters.map(([counter, value]) => ({ name: `${name}${counter}`, counter, value })),
    )
    .filter(({ counter }) => !CONSTANTS.has(counter))
    .filter(({ name }) => patterns.length === 0 || patterns.some((pattern) => pattern.test(name)))
    .filter(({ value }) => value !== 0 || letters.includes('z'));
  if (letters.includes('j')) {
    return `${JSON.stringify({ kernel: Object.fromEntries(rows.map(({ name, value }) => [name, value])) })}\n`;
  }
  return ['#kernel', ...rows.map(({ name, value }) => `${name.padEnd(32)}${String(value).padEnd(19)}0.0`)]
    .map((line) => `${line}\n`)
    .join('');
}

function globPattern(glob: string): RegExp {
  return new RegExp(
    `^${glob
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  );
}

/** `netstat -s`, of net-tools: a sentence for each counter. */
export function netstatStatistics(host: Host): string {
  const values = new Map<string, number>(
    protocolCounters(host).flatMap(({ name, counters }) =>
      counters.map(([counter, value]) => [`${name}${counter}`, value] as const),
    ),
  );
  const lines = SENTENCES.flatMap(([group, sentences]) => [
    `${group}:`,
    ...sentences.map(([counter, sentence]) => `    ${sentence.replace('%', String(values.get(counter) ?? 0))}`),
  ]);
  return `${lines.join('\n')}\n`;
}

type Sentences = readonly (readonly [counter: string, sentence: string])[];

const SENTENCES: readonly (readonly [group: string, sentences: Sentences])[] = [
  [
    'Ip',
    [
      ['IpForwarding', 'Forwarding: %'],
      ['IpInReceives', '% total packets received'],
      ['IpInAddrErrors', '% with invalid addresses'],
      ['IpForwDatagrams', '% forwarded'],
      ['IpInDiscards', '% incoming packets discarded'],
      ['IpInDelivers', '% incoming packets delivered'],
      ['IpOutRequests', '% requests sent out'],
      ['IpOutNoRoutes', '% dropped because of missing route'],
      ['IpReasmOKs', '% packets reassembled ok'],
      ['IpReasmFails', '% packet reassemblies failed'],
      ['IpFragCreates', '% fragments created'],
    ],
  ],
  [
    'Icmp',
    [
      ['IcmpOutMsgs', '% ICMP messages sent'],
      ['IcmpInErrors', '% input ICMP message failed'],
    ],
  ],
  [
    'Tcp',
    [
      ['TcpActiveOpens', '% active connection openings'],
      ['TcpPassiveOpens', '% passive connection openings'],
      ['TcpAttemptFails', '% failed connection attempts'],
      ['TcpEstabResets', '% connection resets received'],
      ['TcpCurrEstab', '% connections established'],
      ['TcpInSegs', '% segments received'],
      ['TcpOutSegs', '% segments sent out'],
      ['TcpRetransSegs', '% segments retransmitted'],
      ['TcpInErrs', '% bad segments received'],
      ['TcpOutRsts', '% resets sent'],
    ],
  ],
  [
    'Udp',
    [
      ['UdpInDatagrams', '% packets received'],
      ['UdpNoPorts', '% packets to unknown port received'],
      ['UdpInErrors', '% packet receive errors'],
      ['UdpOutDatagrams', '% packets sent'],
      ['UdpRcvbufErrors', '% receive buffer errors'],
      ['UdpSndbufErrors', '% send buffer errors'],
    ],
  ],
  [
    'TcpExt',
    [
      ['TcpExtListenDrops', '% SYNs to LISTEN sockets dropped'],
      ['TcpExtTCPFastRetrans', '% fast retransmits'],
      ['TcpExtTCPTimeouts', 'TCPTimeouts: %'],
      ['TcpExtTCPChallengeACK', 'TCPChallengeACK: %'],
    ],
  ],
  [
    'IpExt',
    [
      ['IpExtInOctets', 'InOctets: %'],
      ['IpExtOutOctets', 'OutOctets: %'],
    ],
  ],
];
