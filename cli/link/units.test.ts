import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  durationText,
  parseDuration,
  parsePercent,
  parseRate,
  parseSize,
  parseTime,
  percentText,
  rateText,
  timeText,
} from './units.ts';

describe('units as tc reads them', () => {
  it.each([
    [parseTime, '20ms', 20_000],
    [parseTime, '1.5s', 1_500_000],
    [parseTime, '250us', 250],
    [parseTime, '3msecs', 3000],
    [parseTime, '0', 0],
    [parsePercent, '1%', 0.01],
    [parsePercent, '0.5', 0.005],
    [parsePercent, '100%', 1],
    [parseRate, '10mbit', 10_000_000],
    [parseRate, '10Mbit', 10_000_000],
    [parseRate, '1mbps', 8_000_000],
    [parseRate, '8kibit', 8192],
    [parseRate, '9600', 9600],
    [parseSize, '64kb', 65_536],
    [parseSize, '1m', 1_048_576],
    [parseSize, '1500', 1500],
    [parseDuration, '30s', 30_000],
    [parseDuration, '1m30s', 90_000],
    [parseDuration, '250ms', 250],
  ])('%o of %j is %d', (parse, text, value) => {
    expect(parse(text)).toBe(value);
  });

  it.each([
    [parseTime, ['20', '-1ms', '20 parsecs', '', 'ms', '2h', '4000s'], /time with its unit/],
    [parsePercent, ['101%', '-1%', 'often', '', '1%%'], /percentage from 0% to 100%/],
    [parseRate, ['fast', '10mb', '-1mbit', ''], /expected a rate/],
    [parseSize, ['10mbit', '-1', '', '5gb'], /expected a size/],
    [parseDuration, ['30', '0s', 'soon', '', '1s!', '30d', '100000h'], /expected a duration/],
  ])('%o refuses %j', (parse, texts, message) => {
    for (const text of texts) expect(() => parse(text), text).toThrow(message);
  });

  it('what is printed is read again as the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99_999 }), fc.integer({ min: 1, max: 100_000 }), (us, seconds) => {
        expect(parseTime(timeText(us))).toBeCloseTo(us, 6);
        expect(parseRate(rateText(us * 1000))).toBeCloseTo(us * 1000, 3);
        expect(parseDuration(durationText(seconds * 1000))).toBe(seconds * 1000);
      }),
    );
    expect([timeText(1500), percentText(0.015), rateText(1.5e9), durationText(90_500)]).toEqual([
      '1.5ms',
      '1.5%',
      '1.5Gbit',
      '1m31s',
    ]);
  });
});
