/** The parameters of a network namespace under the names, units and bounds that Linux gives them (ip-sysctl.txt). */
import { FIRST_EPHEMERAL_PORT, LAST_EPHEMERAL_PORT } from './ephemeral-ports.ts';
import type { Host } from './host.ts';
import { DEFAULT_TTL } from './ip-output.ts';
import { congestionControlNames, isCongestionControlName } from './tcp/congestion-controls.ts';
import { MAX_BACKLOG } from './tcp/listener.ts';
import type { TcpSettings } from './tcp/settings.ts';
import { MAX_TIME_WAIT } from './tcp/tcp.ts';

export type SysctlFailure =
  /** There is no such parameter. */
  | 'unknown'
  /** It can only be read. */
  | 'read-only'
  /** The value is malformed or out of its bounds. */
  | 'invalid'
  /** The value names something that there is not (a congestion control). */
  | 'no-such-value';

interface Parameter {
  read(host: Host): string;
  /** False when the value is not one; absent when it can only be read. */
  readonly write?: (host: Host, value: string) => boolean;
  readonly refusal?: SysctlFailure;
}

type NumberSetting = { [K in keyof TcpSettings]: TcpSettings[K] extends number ? K : never }[keyof TcpSettings];
type FlagSetting = { [K in keyof TcpSettings]: TcpSettings[K] extends boolean ? K : never }[keyof TcpSettings];

const SECOND_US = 1_000_000;
/** By the values of rp_filter. */
const REVERSE_PATH_FILTERS: readonly Host['reversePathFilter'][] = ['off', 'strict', 'loose'];

const parameters: Readonly<Record<string, Parameter>> = {
  'net.core.somaxconn': fixed(String(MAX_BACKLOG)),
  'net.ipv4.conf.all.forwarding': forwarding(),
  'net.ipv4.conf.all.rp_filter': {
    read: (host) => String(REVERSE_PATH_FILTERS.indexOf(host.reversePathFilter)),
    write: (host, value) => {
      const filter = REVERSE_PATH_FILTERS[wholeNumber(value) ?? -1];
      if (filter === undefined) return false;
      host.reversePathFilter = filter;
      host.routes.generation++;
      return true;
    },
  },
  'net.ipv4.ip_default_ttl': fixed(String(DEFAULT_TTL)),
  'net.ipv4.ip_forward': forwarding(),
  'net.ipv4.ip_local_port_range': fixed(`${FIRST_EPHEMERAL_PORT}\t${LAST_EPHEMERAL_PORT}`),
  'net.ipv4.tcp_available_congestion_control': fixed(congestionControlNames.join(' ')),
  'net.ipv4.tcp_congestion_control': {
    read: (host) => host.tcp.settings.congestionControl,
    write: (host, value) => {
      if (!isCongestionControlName(value)) return false;
      host.tcp.settings.congestionControl = value;
      return true;
    },
    refusal: 'no-such-value',
  },
  'net.ipv4.tcp_fin_timeout': number('finWait2Us', SECOND_US, 1, 120),
  'net.ipv4.tcp_keepalive_intvl': number('keepAliveIntervalUs', SECOND_US, 1, 32_767),
  'net.ipv4.tcp_keepalive_probes': number('keepAliveProbes', 1, 1, 127),
  'net.ipv4.tcp_keepalive_time': number('keepAliveIdleUs', SECOND_US, 1, 32_767),
  'net.ipv4.tcp_max_tw_buckets': fixed(String(MAX_TIME_WAIT)),
  'net.ipv4.tcp_retries2': number('retries', 1, 0, 255),
  'net.ipv4.tcp_rmem': memory('receiveBufferBytes'),
  'net.ipv4.tcp_sack': flag('sack'),
  'net.ipv4.tcp_syn_retries': number('synRetries', 1, 1, 127),
  'net.ipv4.tcp_synack_retries': number('synAckRetries', 1, 0, 255),
  'net.ipv4.tcp_timestamps': flag('timestamps'),
  'net.ipv4.tcp_window_scaling': flag('windowScaling'),
  'net.ipv4.tcp_wmem': memory('sendBufferBytes'),
  'net.ipv6.conf.all.forwarding': forwarding(),
};

/** In the order of their names. */
export const sysctlNames: readonly string[] = Object.keys(parameters).sort();

/** `net/ipv4/tcp_sack`, as sysctl(8) takes it too, is `net.ipv4.tcp_sack`. */
export function sysctlName(text: string): string {
  return text.replaceAll('/', '.');
}

/** Undefined when there is no such parameter. */
export function readSysctl(host: Host, name: string): string | undefined {
  return parameterOf(name)?.read(host);
}

/** Null when it was set; connections that are open keep what they began with. */
export function writeSysctl(host: Host, name: string, value: string): SysctlFailure | null {
  const parameter = parameterOf(name);
  if (parameter === undefined) return 'unknown';
  if (parameter.write === undefined) return 'read-only';
  return parameter.write(host, value.trim()) ? null : (parameter.refusal ?? 'invalid');
}

function parameterOf(name: string): Parameter | undefined {
  return Object.hasOwn(parameters, name) ? parameters[name] : undefined;
}

/** One switch for both versions. */
function forwarding(): Parameter {
  return {
    read: (host) => (host.ipForward ? '1' : '0'),
    write: (host, value) => {
      if (value !== '0' && value !== '1') return false;
      host.ipForward = value === '1';
      return true;
    },
  };
}

function fixed(value: string): Parameter {
  return { read: () => value };
}

function flag(key: FlagSetting): Parameter {
  return {
    read: (host) => (host.tcp.settings[key] ? '1' : '0'),
    write: (host, value) => {
      if (value !== '0' && value !== '1') return false;
      host.tcp.settings[key] = value === '1';
      return true;
    },
  };
}

/** A whole number of `unit`s from `least` to `most`. */
function number(key: NumberSetting, unit: number, least: number, most: number): Parameter {
  return {
    read: (host) => String(host.tcp.settings[key] / unit),
    write: (host, value) => {
      const units = wholeNumber(value);
      if (units === undefined || units < least || units > most) return false;
      host.tcp.settings[key] = units * unit;
      return true;
    },
  };
}

const LEAST_BUFFER_BYTES = 4096;
const MOST_BUFFER_BYTES = 64 << 20;

/** Least, default and largest, of which only the last counts here: a buffer takes what it holds, up to that. */
function memory(key: NumberSetting): Parameter {
  return {
    read: (host) => `${LEAST_BUFFER_BYTES}\t${host.tcp.settings[key]}\t${host.tcp.settings[key]}`,
    write: (host, value) => {
      const sizes = value.split(/\s+/).map(wholeNumber);
      const most = sizes[2];
      if (sizes.length !== 3 || sizes.includes(undefined) || most === undefined) return false;
      if (most < LEAST_BUFFER_BYTES || most > MOST_BUFFER_BYTES) return false;
      host.tcp.settings[key] = most;
      return true;
    },
  };
}

export function wholeNumber(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
