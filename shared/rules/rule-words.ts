/** The words of a rule as iptables reads them: ports, marks, masks, states. */
import { parseIpv4 } from '../wire/address.ts';
import type { IpFamily } from '../wire/ip-address.ts';
import { CONNECTION_STATES, type ConnectionState, type PortRange } from './match.ts';
import { REJECT_WITH, type RejectWith } from './target.ts';

/** What iptables says of words that are no rule, without its name and version. */
export class RuleSyntaxError extends Error {}

const ALL_BITS = 0xffff_ffff;

/** Length or dotted mask. */
export function maskLength(mask: string): string {
  const value = mask.includes('.') ? parseIpv4(mask) : undefined;
  if (value === undefined) return mask;
  const length = Math.clz32(~value);
  return value === (length === 0 ? 0 : (ALL_BITS << (32 - length)) >>> 0) ? String(length) : mask;
}

export function portRange(text: string): PortRange {
  const [from = '', to = from] = text.split(':');
  const first = from === '' ? 0 : portNamed(from);
  const last = to === '' ? 65_535 : portNamed(to);
  if (first > last) throw new RuleSyntaxError('invalid portrange (min > max)');
  return { first, last };
}

export function portNamed(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new RuleSyntaxError(`invalid port/service \`${text}' specified`);
  return port;
}

/** `VALUE[/MASK]` */
export function bits(text: string): [value: number, mask: number] {
  const [value, mask = ALL_BITS] = text
    .split('/')
    .map((part) => (/^(0x[\da-f]+|\d+)$/i.test(part) ? Number(part) : Number.NaN));
  if (value === undefined || !(value <= ALL_BITS) || !(mask <= ALL_BITS))
    throw new RuleSyntaxError(`invalid mark value: \`${text}'`);
  return [value, mask];
}

export function stateNamed(text: string): ConnectionState {
  const state = CONNECTION_STATES.find((name) => name === text.toUpperCase());
  if (state === undefined) throw new RuleSyntaxError(`Bad ctstate "${text}"`);
  return state;
}

export function rejection(text: string | undefined, family: IpFamily): RejectWith {
  if (text === undefined) return family === 'ipv6' ? 'icmp6-port-unreachable' : 'icmp-port-unreachable';
  const known = REJECT_WITH.find((name) => name === text || name === `icmp-${text}` || name === `icmp6-${text}`);
  if (known === undefined)
    throw new RuleSyntaxError(`podwire: REJECT is with ${REJECT_WITH.join(', ')} here, not ${text}`);
  return known;
}

const LOG_LEVELS: readonly string[] = ['emerg', 'alert', 'crit', 'error', 'warning', 'notice', 'info', 'debug'];

/** A name, or a number. */
export function logLevel(text: string): number {
  const level = /^\d$/.test(text) ? Number(text) : LOG_LEVELS.indexOf(text);
  if (level < 0 || level >= LOG_LEVELS.length) throw new RuleSyntaxError(`log-level "${text}" unknown`);
  return level;
}

/** Of `-m recent`. */
export function recentSeconds(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text) || Number(text) > ALL_BITS) {
    throw new RuleSyntaxError('recent: bad value for option "--seconds", or out of range (1-4294967295).');
  }
  return Number(text);
}
