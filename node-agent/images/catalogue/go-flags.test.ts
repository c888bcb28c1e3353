import { describe, expect, it } from 'vitest';
import { UsageError } from '../coreutils/options.ts';
import { parseGoDuration, parseGoFlags } from './go-flags.ts';

const DEFAULTS = { port: 80, name: 'x', quiet: false };

describe('flags of Go programs', () => {
  it.each([
    [[], { port: 80, name: 'x', quiet: false }],
    [['--port=1', '-name', 'a b', '--quiet'], { port: 1, name: 'a b', quiet: true }],
    [['--quiet=false', '--name='], { port: 80, name: '', quiet: false }],
    [['--name', '-1'], { port: 80, name: '-1', quiet: false }],
  ])('%j', (args, flags) => {
    expect(parseGoFlags(args, DEFAULTS).flags).toEqual(flags);
  });

  it('leaves the rest as operands', () => {
    expect(parseGoFlags(['a', '--port', '1', '-', '--', '--name'], DEFAULTS).operands).toEqual(['a', '-', '--name']);
  });

  it.each([[['--port=x']], [['--quiet=maybe']], [['--name']], [['--other']]])('refuses %j', (args) => {
    expect(() => parseGoFlags(args, DEFAULTS)).toThrow(UsageError);
  });
});

describe('durations', () => {
  it.each([
    ['0', 0],
    ['1.5s', 1500],
    ['1m30s', 90_000],
    ['250ms', 250],
    ['2', undefined],
    ['1s x', undefined],
    ['', undefined],
  ])('%j', (text, durationMs) => {
    expect(parseGoDuration(text)).toBe(durationMs);
  });
});
