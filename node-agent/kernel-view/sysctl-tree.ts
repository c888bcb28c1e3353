/** The parameters that one can ask a namespace for: its stack's own and, in a node's, those of conntrack and of the bridge. */
import type { Host } from '../../shared/netstack/host.ts';
import { readSysctl, type SysctlFailure, sysctlNames, wholeNumber, writeSysctl } from '../../shared/netstack/sysctl.ts';
import type { ConntrackTimeouts } from '../datapath/conntrack-timeouts.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import type { TcpState } from '../datapath/tcp-track.ts';

export interface SysctlTree {
  /** In alphabetical order. */
  names(): readonly string[];
  /** Undefined where there is no such parameter. */
  read(name: string): string | undefined;
  /** Null when it was set. */
  write(name: string, value: string): SysctlFailure | null;
}

export function hostSysctls(host: Host): SysctlTree {
  return {
    names: () => sysctlNames,
    read: (name) => readSysctl(host, name),
    write: (name, value) => writeSysctl(host, name, value),
  };
}

interface NodeParameter {
  readonly read: () => string | undefined;
  /** False when the value is not one; absent when it can only be read. */
  readonly write?: (value: string) => boolean;
}

export function nodeSysctls(datapath: NodeDatapath): SysctlTree {
  const own = nodeParameters(datapath);
  const host = hostSysctls(datapath.root);
  const find = (name: string): NodeParameter | undefined => {
    const parameter = own.get(name);
    return parameter?.read() === undefined ? undefined : parameter;
  };
  return {
    names: () => [...host.names(), ...[...own.keys()].filter((name) => find(name) !== undefined)].sort(),
    read: (name) => find(name)?.read() ?? host.read(name),
    write: (name, value) => {
      const parameter = find(name);
      if (parameter === undefined) return host.write(name, value);
      if (parameter.write === undefined) return 'read-only';
      return parameter.write(value.trim()) ? null : 'invalid';
    },
  };
}

/** Linux allows more; here it bounds what a node's process holds. */
const MOST_CONNECTIONS = 1_048_576;

const TCP_TIMEOUTS: readonly (readonly [suffix: string, state: TcpState])[] = [
  ['close', 'CLOSE'],
  ['close_wait', 'CLOSE_WAIT'],
  ['established', 'ESTABLISHED'],
  ['fin_wait', 'FIN_WAIT'],
  ['last_ack', 'LAST_ACK'],
  ['syn_recv', 'SYN_RECV'],
  ['syn_sent', 'SYN_SENT'],
  ['time_wait', 'TIME_WAIT'],
];
const OTHER_TIMEOUTS = [
  ['generic_timeout', 'generic'],
  ['icmp_timeout', 'icmp'],
  ['udp_timeout', 'udp'],
  ['udp_timeout_stream', 'udpStream'],
] as const;

function nodeParameters(datapath: NodeDatapath): Map<string, NodeParameter> {
  const { conntrack } = datapath;
  const { table } = conntrack;
  const most: NodeParameter = {
    read: () => String(table.maxConnections),
    write: (value) => {
      const count = wholeNumber(value);
      if (count === undefined || count < 1 || count > MOST_CONNECTIONS) return false;
      table.maxConnections = count;
      return true;
    },
  };
  const timeout = (read: () => number, changed: (seconds: number) => ConntrackTimeouts): NodeParameter => ({
    read: () => String(read()),
    write: (value) => {
      const seconds = wholeNumber(value);
      if (seconds === undefined) return false;
      conntrack.timeouts = changed(seconds);
      return true;
    },
  });
  const parameters = new Map<string, NodeParameter>([
    ['net.bridge.bridge-nf-call-iptables', bridgeFilter(datapath)],
    ['net.netfilter.nf_conntrack_count', { read: () => String(table.size) }],
    ['net.netfilter.nf_conntrack_max', most],
    ['net.nf_conntrack_max', most],
  ]);
  for (const [suffix, state] of TCP_TIMEOUTS) {
    const changed = (seconds: number): ConntrackTimeouts => {
      const { timeouts } = conntrack;
      return { ...timeouts, tcp: { ...timeouts.tcp, [state]: seconds } };
    };
    parameters.set(
      `net.netfilter.nf_conntrack_tcp_timeout_${suffix}`,
      timeout(() => conntrack.timeouts.tcp[state], changed),
    );
  }
  for (const [suffix, key] of OTHER_TIMEOUTS) {
    const changed = (seconds: number): ConntrackTimeouts => ({ ...conntrack.timeouts, [key]: seconds });
    parameters.set(
      `net.netfilter.nf_conntrack_${suffix}`,
      timeout(() => conntrack.timeouts[key], changed),
    );
  }
  return parameters;
}

/** There while there is a bridge, as with the module br_netfilter. */
function bridgeFilter(datapath: NodeDatapath): NodeParameter {
  return {
    read: () => (datapath.bridge === null ? undefined : datapath.bridge.callIptables ? '1' : '0'),
    write: (value) => {
      if (datapath.bridge === null || (value !== '0' && value !== '1')) return false;
      datapath.bridge.callIptables = value === '1';
      return true;
    },
  };
}
