import { expect, it } from 'vitest';
import { LineSplitter, mergeFlowLines } from './flow-lines.ts';

const compact = (time: string, text: string) => `Nov 29 ${time}: ${text}`;

it('flows of all nodes come in the order of their times, the newest last', () => {
  const one = `${compact('00:59:43.123', 'a')}\n${compact('00:59:43.500', 'c')}\n`;
  const other = `${compact('00:59:43.200', 'b')}\n`;
  expect(mergeFlowLines([one, other, ''], []).map((line) => line.at(-1))).toEqual(['a', 'b', 'c']);
  expect(mergeFlowLines([one, other], ['--last', '2']).map((line) => line.at(-1))).toEqual(['b', 'c']);
  expect(mergeFlowLines([one, other], ['--first', '1']).map((line) => line.at(-1))).toEqual(['a']);
  expect(mergeFlowLines(new Array(30).fill(one), ['--since', '1m'])).toHaveLength(
    mergeFlowLines(new Array(30).fill(one), ['--all']).length,
  );
  expect(mergeFlowLines([one], ['--last=0'])).toEqual([]);
});

it('in JSON too', () => {
  const flow = (time: string, name: string) => `{"flow":{"time":"2026-11-29T${time}Z","name":"${name}"}}`;
  expect(mergeFlowLines([flow('01:00:00.200', 'late'), flow('01:00:00.100', 'early')], [])).toEqual([
    flow('01:00:00.100', 'early'),
    flow('01:00:00.200', 'late'),
  ]);
});

it('a line is whole before anybody is told', () => {
  const told: string[] = [];
  const splitter = new LineSplitter((line) => told.push(line));
  for (const text of ['fir', 'st\nsec', 'ond\n', 'rest']) splitter.take(text);
  expect(told).toEqual(['first', 'second']);
});
