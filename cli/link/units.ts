/**
 * Quantities as tc(8) reads them, and back. A time must have its unit: tc takes a bare number as microseconds, which nobody
 * means. https://man7.org/linux/man-pages/man8/tc.8.html (PARAMETERS)
 */
import { InvalidArgumentError } from 'commander';

const TIME_US: Readonly<Record<string, number>> = {
  s: 1e6,
  sec: 1e6,
  secs: 1e6,
  ms: 1e3,
  msec: 1e3,
  msecs: 1e3,
  us: 1,
  usec: 1,
  usecs: 1,
};
const MAX_TIME_US = 3600e6;

const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const MAX_DURATION_MS = 2_147_483_647;

const DECIMAL: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const BINARY: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** Microseconds. */
export function parseTime(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?|\.\d+)([a-z]*)$/i.exec(text.trim()) ?? [];
  const us = Number(amount) * (Number(amount) === 0 ? 1 : (TIME_US[unit?.toLowerCase() ?? ''] ?? Number.NaN));
  if (us >= 0 && us <= MAX_TIME_US) return us;
  throw new InvalidArgumentError('expected a time with its unit, up to 3600s: 20ms, 500us or 1.5s.');
}

/** 0 to 1. */
export function parsePercent(text: string): number {
  const [, amount] = /^(\d+(?:\.\d+)?|\.\d+)%?$/.exec(text.trim()) ?? [];
  const percent = amount === undefined ? Number.NaN : Number(amount);
  if (percent >= 0 && percent <= 100) return percent / 100;
  throw new InvalidArgumentError('expected a percentage from 0% to 100%: 1% or 0.5%.');
}

/** Bits per second: `10mbit`, `1.5gbit`, `100kibit`; `bps` and its multiples are bytes per second, as in tc. */
export function parseRate(text: string): number {
  const pattern = /^(\d+(?:\.\d+)?|\.\d+)(?:([kmgt]?)(i?)(bit|bps))?$/i;
  const [, amount, prefix = '', binary, unit = 'bit'] = pattern.exec(text.trim()) ?? [];
  const scale = (binary ? BINARY : DECIMAL)[prefix.toLowerCase()] ?? Number.NaN;
  const bits = Number(amount) * scale * (unit.toLowerCase() === 'bps' ? 8 : 1);
  if (bits >= 0 && bits <= 1e15) return bits;
  throw new InvalidArgumentError(
    'expected a rate: 10mbit, 512kbit or 1gbit (bits per second), 1mbps (bytes per second).',
  );
}

/** Bytes: `64kb`, `1mb`, `1500`; k is 1024, as in tc. */
export function parseSize(text: string): number {
  const [, amount, prefix = ''] = /^(\d+(?:\.\d+)?|\.\d+)(?:([kmg])?b?)$/i.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(amount) * (BINARY[prefix.toLowerCase()] ?? Number.NaN));
  if (bytes >= 0 && bytes < 2 ** 32) return bytes;
  throw new InvalidArgumentError('expected a size: 64kb, 1mb or 1500 (bytes).');
}

/** Milliseconds, at least 1: `30s`, `1m30s`, `2h`. */
export function parseDuration(text: string): number {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const whole = parts.map(([part]) => part).join('') === text.trim();
  const ms = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (DURATION_MS[unit ?? ''] ?? 0), 0);
  if (whole && ms >= 1 && ms <= MAX_DURATION_MS) return Math.round(ms);
  throw new InvalidArgumentError('expected a duration up to 24 days: 30s, 1m30s or 2h.');
}

/** As tc prints it: `20ms`, `1.5s`, `500us`. */
export function timeText(us: number): string {
  if (us >= 1e6) return `${short(us / 1e6)}s`;
  return us >= 1e3 ? `${short(us / 1e3)}ms` : `${short(us)}us`;
}

export function percentText(probability: number): string {
  return `${short(probability * 100)}%`;
}

/** As tc prints it: `10Mbit`, `1500bit`. */
export function rateText(bitsPerSecond: number): string {
  for (const [prefix, scale] of [
    ['T', 1e12],
    ['G', 1e9],
    ['M', 1e6],
    ['K', 1e3],
  ] as const) {
    if (bitsPerSecond >= scale) return `${short(bitsPerSecond / scale)}${prefix}bit`;
  }
  return `${short(bitsPerSecond)}bit`;
}

/** `8s`, `1m30s`, `2h`. */
export function durationText(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  return parts.flatMap(([amount, unit]) => (amount > 0 ? [`${amount}${unit}`] : [])).join('') || '0s';
}

function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}
