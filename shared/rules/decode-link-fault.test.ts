import { describe, expect, test } from 'vitest';
import { decodeLinkFaultReply, decodeLinkFaultRequest } from './decode-link-fault.ts';
import { UNIMPAIRED } from './impairment.ts';

const set = {
  action: 'set',
  targets: [
    { kind: 'peer', node: 'worker-2' },
    { kind: 'pod', namespace: 'default', pod: 'web-0', direction: 'to' },
    { kind: 'device', device: 'eth0', direction: 'from' },
  ],
  change: { delayUs: 20_000, burstLoss: { toBad: 0.01, toGood: 0.1, lossInBad: 1, lossInGood: 0 }, partition: false },
  seed: 1,
  freshSeed: 2,
  durationMs: 3,
};

const fault = {
  target: set.targets[0],
  from: 'worker-1',
  to: 'worker-2',
  impairment: { ...UNIMPAIRED, burstLoss: null },
  seed: 5,
  remainingMs: 7,
  counters: {
    passed: 1,
    delayed: 2,
    duplicated: 3,
    reordered: 4,
    corrupted: 5,
    waiting: 6,
    dropped: { 'link-loss': 7 },
  },
};

describe('requests', () => {
  test.each([set, { action: 'show' }, { action: 'clear', targets: 'all' }, { action: 'clear', targets: set.targets }])(
    'of every kind come through as they were: %j',
    (request) => expect(decodeLinkFaultRequest(structuredClone(request))).toEqual(request),
  );

  test.each([
    [null, 'request: expected an object'],
    [{ action: 'break' }, 'request.action: expected one of set, clear, show'],
    [{ ...set, targets: [{ kind: 'moon' }] }, 'request.targets[0].kind: expected one of peer, pod, device'],
    [{ ...set, targets: new Array(5000).fill(set.targets[0]) }, 'request.targets: expected at most 4096'],
    [{ ...set, change: { loss: 1.5 } }, 'request.change.loss: expected a number from 0 to 1'],
    [{ ...set, change: { delayUs: Number.NaN } }, 'request.change.delayUs: expected a number'],
    [{ ...set, change: { colour: 'red' } }, 'request.change.colour: expected delayUs,'],
    [{ ...set, change: JSON.parse('{"__proto__": 1}') }, 'request.change.__proto__: expected delayUs,'],
    [{ ...set, freshSeed: -1 }, 'request.freshSeed: expected an integer'],
    [{ ...set, durationMs: 0 }, 'request.durationMs: expected an integer from 1'],
  ])('are refused with the place: %j', (request, message) => {
    expect(() => decodeLinkFaultRequest(request)).toThrow(message);
  });
});

describe('replies', () => {
  test('come through as they were', () => {
    expect(decodeLinkFaultReply({ faults: [fault] })).toEqual({ faults: [fault] });
  });

  test.each([
    [{}, 'reply.faults: expected a list'],
    [{ faults: [{ ...fault, impairment: { delayUs: 1 } }] }, 'reply.faults[0].impairment.jitterUs: expected a value'],
    [{ faults: [{ ...fault, counters: { ...fault.counters, passed: 'many' } }] }, 'reply.faults[0].counters.passed'],
  ])('are refused with the place: %j', (reply, message) => {
    expect(() => decodeLinkFaultReply(reply)).toThrow(message);
  });
});
