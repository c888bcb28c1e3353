/**
 * The filters of `hubble observe`: values of one option are alternatives, different options must all hold. Behind `--not` they
 * say what is left out, where all of these hold.
 */
import { parseArgs } from 'node:util';
import { parseGoDuration } from '../../../shared/api/duration.ts';
import { labelSelectorMatches, parseLabelSelector } from '../../../shared/api/label-selector.ts';
import { formatIpv4 } from '../../../shared/wire/address.ts';
import { isInNetwork, parsePrefix } from '../../../shared/wire/ip-address.ts';
import * as tcp from '../../../shared/wire/tcp.ts';
import { MAX_FLOWS } from '../../datapath/cilium/flow-log.ts';
import { RESERVED_IDENTITIES } from '../../datapath/cilium/identity.ts';
import { type Party, PROTOCOL_NAMES, type ShownFlow, verdictOf } from './hubble-flow.ts';
import { l7Kind, passesHttpMethod, passesHttpPath, passesHttpStatus } from './hubble-l7.ts';

const VERDICTS = ['FORWARDED', 'DROPPED'];
const TYPES = ['trace', 'drop', 'l7'];
const DEFAULT_LAST = 20;
const NS_PER_MS = 1e6;

type Holds = (flow: ShownFlow) => boolean;
type Filter = (value: string) => Holds;
type PartyFilter = (value: string) => (party: Party) => boolean;

const PARTY_FILTERS: Readonly<Record<string, PartyFilter>> = {
  pod: (value) => (party) => isPod(party, value),
  namespace: (value) => (party) => party.namespace === value,
  ip: addressFilter,
  port: (value) => (party) => `${party.port}` === value,
  label: labelFilter,
  identity: identityFilter,
  fqdn: (value) => (party) => party.names.some((name) => matchesName(name, value)),
};

const FILTERS: Readonly<Record<string, Filter>> = {
  ...Object.fromEntries(Object.entries(PARTY_FILTERS).flatMap(([name, filter]) => sides(name, filter))),
  verdict: (value) => {
    const wanted = oneOf('verdict', value.toUpperCase(), VERDICTS);
    return (flow) => verdictOf(flow) === wanted;
  },
  protocol: (value) => (flow) => protocolsOf(flow).some((one) => one.toUpperCase().startsWith(value.toUpperCase())),
  type: (value) => {
    const wanted = oneOf('type', value.toLowerCase(), TYPES);
    return (flow) => typeOf(flow) === wanted;
  },
  'traffic-direction': (value) => (flow) => (flow.isIngress ? 'ingress' : 'egress') === value.toLowerCase(),
  'tcp-flags': (value) => (flow) => value.split(',').every((flag) => flagsOf(flow).includes(flag.trim().toUpperCase())),
  'http-method': (value) => (flow) => passesHttpMethod(flow.record, value),
  'http-status': (value) => (flow) => passesHttpStatus(flow.record, value),
  'http-path': (value) => {
    const expression = expressionOf(value);
    return (flow) => passesHttpPath(flow.record, expression);
  },
};

/** Either end, the one that sends, or the one that gets. */
function sides(name: string, filter: PartyFilter): [string, Filter][] {
  const one =
    (end: 'source' | 'destination'): Filter =>
    (value) => {
      const holds = filter(value);
      return (flow) => holds(flow[end]);
    };
  const either: Filter = (value) => {
    const holds = filter(value);
    return (flow) => holds(flow.source) || holds(flow.destination);
  };
  return [
    [name, either],
    [`from-${name}`, one('source')],
    [`to-${name}`, one('destination')],
  ];
}

const SHORT: Readonly<Record<string, string>> = { namespace: 'n', label: 'l', type: 't' };
const OPTIONS = {
  output: { type: 'string', short: 'o', default: 'compact' },
  last: { type: 'string' },
  first: { type: 'string' },
  all: { type: 'boolean', default: false },
  since: { type: 'string' },
  until: { type: 'string' },
  not: { type: 'boolean', default: false },
  'node-name': { type: 'string', multiple: true },
  'print-node-name': { type: 'boolean', default: false },
  follow: { type: 'boolean', short: 'f', default: false },
  /** How many flows had been seen: what a command that follows goes on with. */
  after: { type: 'string' },
} as const;
const FILTER_OPTIONS = Object.fromEntries(
  Object.keys(FILTERS).map((name) => [
    name,
    { type: 'string' as const, multiple: true, ...(SHORT[name] === undefined ? {} : { short: SHORT[name] }) },
  ]),
);

/** In the order of the alphabet; `after` is between a command and its next part. */
export const OBSERVE_OPTIONS = Object.keys({ ...FILTER_OPTIONS, ...OPTIONS })
  .filter((name) => name !== 'after')
  .sort();

export interface Observation {
  readonly output: 'compact' | 'json';
  readonly follow: boolean;
  readonly printsNodeName: boolean;
  readonly after: number | undefined;
  readonly passes: Holds;
  /** Of all that passed, in their order. */
  readonly shown: <Flow>(flows: readonly Flow[]) => readonly Flow[];
}

/** `offsetUs`: from the data path's time to that of the wall. Throws an Error that says what is wrong. */
export function observationOf(
  words: readonly string[],
  nodeName: string,
  nowUs: number,
  offsetUs: number,
): Observation {
  const parsed = parseArgs({ args: [...words], options: { ...FILTER_OPTIONS, ...OPTIONS }, tokens: true });
  const { values, tokens } = parsed;
  const { output, last, first, all, since, until, follow, after } = values;
  const [wanted, unwanted]: [FilterSet, FilterSet] = [new FilterSet(), new FilterSet()];
  let isNot = false;
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    if (token.name === 'not') isNot = true;
    const filter = FILTERS[token.name];
    if (filter === undefined || token.value === undefined) continue;
    (isNot ? unwanted : wanted).add(token.name, filter(token.value));
    isNot = false;
  }
  if (!['compact', 'json', 'jsonpb'].includes(output)) throw new Error(`invalid output format: ${output}`);
  const [fromUs, untilUs] = [since, until].map((text) => (text === undefined ? undefined : timeOf(text, nowUs)));
  const isHere = values['node-name']?.some((name) => name === nodeName || name.endsWith(`/${nodeName}`)) ?? true;
  const isLimited = after === undefined && since === undefined && until === undefined && !all;
  const newest = last === undefined ? (isLimited ? (follow ? 0 : DEFAULT_LAST) : MAX_FLOWS) : countOf('last', last);
  const oldest = first === undefined ? undefined : countOf('first', first);
  return {
    output: output === 'compact' ? output : 'json',
    follow,
    printsNodeName: values['print-node-name'],
    after: after === undefined ? undefined : Number(after),
    passes: (flow) => {
      const timeUs = flow.record.timeUs + offsetUs;
      const isInTime = (fromUs === undefined || timeUs >= fromUs) && (untilUs === undefined || timeUs <= untilUs);
      return isHere && isInTime && wanted.hold(flow) && !(unwanted.size > 0 && unwanted.hold(flow));
    },
    shown: (flows) => (oldest === undefined ? flows.slice(Math.max(0, flows.length - newest)) : flows.slice(0, oldest)),
  };
}

class FilterSet {
  private readonly byName = new Map<string, Holds[]>();

  get size(): number {
    return this.byName.size;
  }

  add(name: string, holds: Holds): void {
    this.byName.set(name, [...(this.byName.get(name) ?? []), holds]);
  }

  hold(flow: ShownFlow): boolean {
    return [...this.byName.values()].every((alternatives) => alternatives.some((holds) => holds(flow)));
  }
}

function oneOf(option: string, value: string, known: readonly string[]): string {
  if (!known.includes(value)) {
    throw new Error(`invalid argument "${value}" for "--${option}" flag: there are ${known.join(', ')} here`);
  }
  return value;
}

function countOf(option: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0) throw new Error(`invalid argument "${text}" for "--${option}" flag`);
  return count;
}

/** `5m` ago, or a time of RFC 3339; microseconds. */
function timeOf(text: string, nowUs: number): number {
  const agoNs = parseGoDuration(text);
  const at = agoNs === undefined ? Date.parse(text) * 1000 : nowUs - (agoNs / NS_PER_MS) * 1000;
  if (Number.isNaN(at)) throw new Error(`invalid time "${text}": a duration as 5m, or a time as 2026-01-02T15:04:05Z`);
  return at;
}

function expressionOf(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new Error(`invalid argument "${text}" for "--http-path" flag: ${(error as Error).message}`); // of RegExp
  }
}

function typeOf({ record }: ShownFlow): string {
  return record.l7 !== null ? 'l7' : record.drop === null ? 'trace' : 'drop';
}

function protocolsOf({ record }: ShownFlow): string[] {
  return [PROTOCOL_NAMES[record.protocol] ?? '', l7Kind(record)];
}

function flagsOf({ record: { tcpFlags } }: ShownFlow): string[] {
  return tcp.flagNames(tcpFlags);
}

/** `shop/web-`: a namespace, `default` if there is none, and how the name begins. */
function isPod({ namespace, pod }: Party, wanted: string): boolean {
  const [first = '', second] = wanted.split('/');
  const [inNamespace, prefix] = second === undefined ? ['default', first] : [first, second];
  return namespace === inNamespace && (pod?.startsWith(prefix) ?? false);
}

/** An address, or a block of them. */
function addressFilter(value: string): (party: Party) => boolean {
  if (!value.includes('/')) return ({ address }) => formatIpv4(address) === value;
  const prefix = parsePrefix(value);
  if (prefix === undefined) throw new Error(`invalid CIDR address: ${value}`);
  return ({ address }) => isInNetwork(address, prefix.address, prefix.prefixLength);
}

/** A selector of labels, with or without their source: `k8s:app=web`, `reserved:host`. */
function labelFilter(value: string): (party: Party) => boolean {
  const selector = parseLabelSelector(value.replaceAll(/\b(k8s|any|reserved|fqdn):/g, ''));
  return ({ labels }) =>
    labelSelectorMatches(
      selector,
      Object.fromEntries(
        labels.map((label) => label.replace(/^\w+:/, '').split('=')).map(([key, text = '']) => [key, text]),
      ),
    );
}

/** A number, or the name of a reserved one. */
function identityFilter(value: string): (party: Party) => boolean {
  const reserved: Readonly<Record<string, number>> = RESERVED_IDENTITIES;
  const number = reserved[value.replace(/^reserved:/, '')] ?? Number(value);
  if (!Number.isInteger(number))
    throw new Error(`invalid identity "${value}": a number, or one of ${Object.keys(reserved).join(', ')}`);
  return ({ identity }) => identity === number;
}

/** `*` stands for any characters. */
function matchesName(name: string, wanted: string): boolean {
  const parts = wanted.toLowerCase().replace(/\.$/, '').split('*');
  const [first = '', ...rest] = parts;
  if (rest.length === 0) return name === first;
  const last = rest.pop() ?? '';
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at + last.length <= name.length;
}
