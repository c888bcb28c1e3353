/** Requests and replies about faults of links, as they come over the bus. Throws RulesDecodeError. */
import { RulesDecodeError } from './decode-error.ts';
import { asFields, asList, type Fields, flag, integer, oneOf, optionalInteger, text } from './decode-value.ts';
import { type BurstLoss, DISTRIBUTIONS, type Impairment, type ImpairmentChange } from './impairment.ts';
import {
  FAULT_DIRECTIONS,
  type FaultCounters,
  type FaultTarget,
  type LinkFault,
  type LinkFaultReply,
  type LinkFaultRequest,
} from './link-fault.ts';

/** Links that one request may name. */
export const MAX_TARGETS = 4096;
export const MAX_DELAY_US = 3600e6;
export const MAX_SEED = 2 ** 32 - 1;
const MAX_COUNT = 2 ** 32 - 1;
/** 2^31 - 1: what one timer of the CLI's platforms waits at most. */
export const MAX_DURATION_MS = 2_147_483_647;

type Reader = (value: unknown, path: string) => unknown;

const FIELDS: Readonly<Record<keyof Impairment, Reader>> = {
  delayUs: number(0, MAX_DELAY_US),
  jitterUs: number(0, MAX_DELAY_US),
  delayCorrelation: number(0, 1),
  distribution: (value, path) => oneOf({ distribution: value }, 'distribution', path, DISTRIBUTIONS),
  keepOrder: truth,
  loss: number(0, 1),
  lossCorrelation: number(0, 1),
  burstLoss: (value, path) => (value === null ? null : burstLoss(value, path)),
  duplicate: number(0, 1),
  duplicateCorrelation: number(0, 1),
  reorder: number(0, 1),
  reorderCorrelation: number(0, 1),
  reorderGap: number(1, MAX_COUNT),
  corrupt: number(0, 1),
  corruptCorrelation: number(0, 1),
  rateBitsPerSecond: number(0, 1e15),
  limitPackets: number(0, MAX_COUNT),
  limitBytes: number(0, MAX_COUNT),
  partition: truth,
};

export function decodeLinkFaultRequest(value: unknown): LinkFaultRequest {
  const request = asFields(value, 'request');
  switch (oneOf(request, 'action', 'request', ['set', 'clear', 'show'] as const)) {
    case 'show':
      return { action: 'show' };
    case 'clear':
      return { action: 'clear', targets: request.targets === 'all' ? 'all' : targets(request) };
    case 'set':
      return {
        action: 'set',
        targets: targets(request),
        change: change(request.change, 'request.change'),
        seed: optionalInteger(request, 'seed', 'request', 0, MAX_SEED),
        freshSeed: integer(request, 'freshSeed', 'request', 0, MAX_SEED),
        durationMs: optionalInteger(request, 'durationMs', 'request', 1, MAX_DURATION_MS),
      };
  }
}

export function decodeLinkFaultReply(value: unknown): LinkFaultReply {
  const faults = asList(asFields(value, 'reply').faults, 'reply.faults');
  return { faults: faults.map((fault, i) => linkFault(fault, `reply.faults[${i}]`)) };
}

function targets(request: Fields): FaultTarget[] {
  const list = asList(request.targets, 'request.targets');
  if (list.length > MAX_TARGETS) throw new RulesDecodeError('request.targets', `at most ${MAX_TARGETS}`, list.length);
  return list.map((item, i) => target(item, `request.targets[${i}]`));
}

function target(value: unknown, path: string): FaultTarget {
  const fields = asFields(value, path);
  const kind = oneOf(fields, 'kind', path, ['peer', 'pod', 'device'] as const);
  if (kind === 'peer') return { kind, node: text(fields, 'node', path) };
  const direction = oneOf(fields, 'direction', path, FAULT_DIRECTIONS);
  if (kind === 'device') return { kind, device: text(fields, 'device', path), direction };
  return { kind, namespace: text(fields, 'namespace', path), pod: text(fields, 'pod', path), direction };
}

function change(value: unknown, path: string): ImpairmentChange {
  const read: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(asFields(value, path))) {
    const reader = Object.hasOwn(FIELDS, name) ? FIELDS[name as keyof Impairment] : undefined;
    if (reader === undefined) throw new RulesDecodeError(`${path}.${name}`, Object.keys(FIELDS).join(', '), item);
    if (item !== undefined) read[name] = reader(item, `${path}.${name}`);
  }
  return read; // every member was read by its own reader
}

function linkFault(value: unknown, path: string): LinkFault {
  const fields = asFields(value, path);
  const impairment = change(fields.impairment, `${path}.impairment`);
  for (const name of Object.keys(FIELDS)) {
    if (!(name in impairment)) throw new RulesDecodeError(`${path}.impairment.${name}`, 'a value', undefined);
  }
  return {
    target: target(fields.target, `${path}.target`),
    from: text(fields, 'from', path),
    to: text(fields, 'to', path),
    impairment: impairment as Impairment, // complete, as was seen above
    seed: integer(fields, 'seed', path, 0, MAX_SEED),
    remainingMs: optionalInteger(fields, 'remainingMs', path, 0, MAX_DURATION_MS),
    counters: counters(fields.counters, `${path}.counters`),
  };
}

function counters(value: unknown, path: string): FaultCounters {
  const fields = asFields(value, path);
  const count = (name: string) => integer(fields, name, path, 0, Number.MAX_SAFE_INTEGER);
  const dropped = asFields(fields.dropped, `${path}.dropped`);
  return {
    passed: count('passed'),
    delayed: count('delayed'),
    duplicated: count('duplicated'),
    reordered: count('reordered'),
    corrupted: count('corrupted'),
    waiting: count('waiting'),
    dropped: Object.fromEntries(
      Object.keys(dropped).map((reason) => [
        reason,
        integer(dropped, reason, `${path}.dropped`, 0, Number.MAX_SAFE_INTEGER),
      ]),
    ),
  };
}

function burstLoss(value: unknown, path: string): BurstLoss {
  const fields = asFields(value, path);
  const probability = (name: string) => number(0, 1)(fields[name], `${path}.${name}`);
  return {
    toBad: probability('toBad'),
    toGood: probability('toGood'),
    lossInBad: probability('lossInBad'),
    lossInGood: probability('lossInGood'),
  };
}

function number(least: number, most: number): (value: unknown, path: string) => number {
  return (value, path) => {
    if (typeof value !== 'number' || !(value >= least && value <= most)) {
      throw new RulesDecodeError(path, `a number from ${least} to ${most}`, value);
    }
    return value;
  };
}

function truth(value: unknown, path: string): boolean {
  return flag({ value }, 'value', path) ?? false;
}
