/** `hubble observe [filters] [-o compact|json] [--last N] [--follow]`: flows of this node, in the forms of the original. */
import { parseArgs } from 'node:util';
import { formatIpv4 } from '../../../shared/wire/address.ts';
import { type FlowRecord, MAX_FLOWS } from '../../datapath/cilium/flow-log.ts';
import { FIRST_LOCAL_IDENTITY, RESERVED_IDENTITIES, reservedName } from '../../datapath/cilium/identity.ts';
import { labelLines } from '../../datapath/cilium/security-labels.ts';
import type { PluginOutput } from '../plugin.ts';
import type { CiliumView } from './cilium-dbg.ts';
import { l7Event, l7Json, l7Summary, passesL7 } from './hubble-l7.ts';

const DEFAULT_LAST = 20;
const DROP_REASON_POLICY = 133;
const [DROP_EVENT, TRACE_EVENT, L7_EVENT] = [1, 4, 129];
const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 1: 'ICMPv4', 6: 'TCP', 17: 'UDP', 132: 'SCTP' };
const FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];

const OPTIONS = {
  output: { type: 'string', short: 'o', default: 'compact' },
  last: { type: 'string' },
  follow: { type: 'boolean', short: 'f', default: false },
  /** How many flows had been seen: what a command that follows goes on with. */
  after: { type: 'string' },
  verdict: { type: 'string', multiple: true },
  pod: { type: 'string', multiple: true },
  'from-pod': { type: 'string', multiple: true },
  'to-pod': { type: 'string', multiple: true },
  namespace: { type: 'string', short: 'n', multiple: true },
  'from-ip': { type: 'string', multiple: true },
  'to-ip': { type: 'string', multiple: true },
  port: { type: 'string', multiple: true },
  'to-port': { type: 'string', multiple: true },
  protocol: { type: 'string', multiple: true },
  type: { type: 'string', short: 't', multiple: true },
  'http-method': { type: 'string', multiple: true },
  'http-status': { type: 'string', multiple: true },
  'http-path': { type: 'string', multiple: true },
  'to-fqdn': { type: 'string', multiple: true },
} as const;

interface Party {
  readonly address: string;
  readonly port: number;
  readonly identity: number;
  readonly namespace: string | undefined;
  readonly pod: string | undefined;
  readonly labels: readonly string[];
  /** By DNS, as this node's pods were told. */
  readonly names: readonly string[];
}

interface ShownFlow {
  readonly record: FlowRecord;
  readonly source: Party;
  readonly destination: Party;
  /** To a pod here. */
  readonly isArriving: boolean;
  /** The connection's server is a pod here. */
  readonly isIngress: boolean;
}

type Filters = ReturnType<typeof filtersOf>;

/** `wallClockUs` goes with the data path's time. */
export function hubble(view: CiliumView, words: readonly string[], wallClockUs: number): PluginOutput {
  const [command, ...rest] = words;
  if (command === 'status') return status(view);
  if (command !== 'observe') return 'Error: there are `hubble observe` and `hubble status` here\n';
  let filters: Filters;
  try {
    filters = filtersOf(rest);
  } catch (error) {
    return `Error: ${(error as Error).message}\n`; // of parseArgs, or of ours
  }
  const { flows, datapath } = view;
  const records = filters.after === undefined ? flows.list() : flows.since(filters.after);
  const names = view.names.namesByAddress();
  const passing = records.map((record) => shownFlow(view, names, record)).filter((flow) => passes(flow, filters));
  const shown = filters.last === 0 ? [] : passing.slice(-filters.last);
  const offsetUs = wallClockUs - datapath.root.engine.nowUs;
  const format = filters.output === 'json' ? jsonLine : compactLine;
  const text = shown.map((flow) => `${format(view, flow, offsetUs)}\n`).join('');
  return filters.follow ? { text, next: [command, ...withoutAfter(rest), `--after=${flows.seen}`] } : text;
}

function withoutAfter(words: readonly string[]): string[] {
  return words.filter((word) => !word.startsWith('--after='));
}

function status({ flows }: CiliumView): string {
  return `Healthcheck (via localhost:4245): Ok\nCurrent/Max Flows: ${flows.size}/4,095\nFlows seen: ${flows.seen}\n`;
}

function filtersOf(words: readonly string[]) {
  const { values } = parseArgs({ args: [...words], options: OPTIONS });
  const { output, last, follow } = values;
  for (const path of values['http-path'] ?? []) assertExpression(path);
  const after = values.after === undefined ? undefined : Number(values.after);
  if (!['compact', 'json', 'jsonpb'].includes(output)) throw new Error(`invalid output format: ${output}`);
  const shownAtFirst = follow ? 0 : DEFAULT_LAST;
  const count = after !== undefined ? MAX_FLOWS : last === undefined ? shownAtFirst : Number(last);
  if (!Number.isInteger(count) || count < 0) throw new Error(`invalid argument "${last}" for "--last" flag`);
  return { ...values, output: output === 'jsonpb' ? 'json' : output, last: count, after };
}

function assertExpression(text: string): void {
  try {
    new RegExp(text);
  } catch (error) {
    throw new Error(`invalid argument "${text}" for "--http-path" flag: ${(error as Error).message}`); // of RegExp
  }
}

type NamesByAddress = ReturnType<CiliumView['names']['namesByAddress']>;

function shownFlow(view: CiliumView, names: NamesByAddress, record: FlowRecord): ShownFlow {
  const { endpoints } = view.network.ciliumHost;
  const isArriving = endpoints.has(record.destination);
  return {
    record,
    source: partyOf(view, names, record.source, record.sourcePort),
    destination: partyOf(view, names, record.destination, record.destinationPort),
    isArriving,
    isIngress: record.isReply ? endpoints.has(record.source) : isArriving,
  };
}

function partyOf({ directory, network }: CiliumView, names: NamesByAddress, address: number, port: number): Party {
  const known = directory.endpointAt(address);
  const identity = known?.identity ?? network.ipCache.identityOf(address);
  const reserved = reservedName(identity);
  const labels = directory.labelsFor(identity);
  return {
    address: formatIpv4(address),
    port,
    identity,
    namespace: known?.pod.namespace,
    pod: known?.pod.name,
    labels: reserved === undefined ? labelLines(labels ?? {}) : [`reserved:${reserved}`],
    names: known === undefined ? [...(names.get(address) ?? [])].map((name) => name.replace(/\.$/, '')) : [],
  };
}

function passes({ record, source, destination }: ShownFlow, filters: Filters): boolean {
  const any = (wanted: readonly string[] | undefined, holds: (value: string) => boolean): boolean =>
    wanted === undefined || wanted.some(holds);
  const verdict = record.drop === null ? 'FORWARDED' : 'DROPPED';
  const either = (holds: (party: Party) => boolean): boolean => holds(source) || holds(destination);
  const protocols = [PROTOCOL_NAMES[record.protocol] ?? '', record.l7?.kind ?? ''];
  return (
    passesL7(record, filters) &&
    any(filters.verdict, (value) => value.toUpperCase() === verdict) &&
    any(filters.pod, (value) => either((party) => isPod(party, value))) &&
    any(filters['from-pod'], (value) => isPod(source, value)) &&
    any(filters['to-pod'], (value) => isPod(destination, value)) &&
    any(filters.namespace, (value) => either(({ namespace }) => namespace === value)) &&
    any(filters['from-ip'], (value) => source.address === value) &&
    any(filters['to-ip'], (value) => destination.address === value) &&
    any(filters.port, (value) => either(({ port }) => `${port}` === value)) &&
    any(filters['to-port'], (value) => `${destination.port}` === value) &&
    any(filters['to-fqdn'], (value) => destination.names.includes(value)) &&
    any(filters.protocol, (value) => protocols.some((one) => one.toUpperCase().startsWith(value.toUpperCase())))
  );
}

/** `shop/web-`: a namespace, `default` if there is none, and how the name begins. */
function isPod({ namespace, pod }: Party, wanted: string): boolean {
  const [first = '', second] = wanted.split('/');
  const [inNamespace, prefix] = second === undefined ? ['default', first] : [first, second];
  return namespace === inNamespace && (pod?.startsWith(prefix) ?? false);
}

function compactLine({ network }: CiliumView, flow: ShownFlow, offsetUs: number): string {
  const { record, source, destination } = flow;
  const time = new Date((record.timeUs + offsetUs) / 1000);
  const stamp = `${time.toUTCString().slice(8, 11)} ${`${time.getUTCDate()}`.padStart(2)} ${time.toISOString().slice(11, 23)}`;
  const arrow = record.drop !== null ? '<>' : record.isReply ? '<-' : '->';
  // Of a reply too the client stands at the left.
  const [left, right] = record.isReply ? [destination, source] : [source, destination];
  const event = eventOf(network.routing, flow);
  return `${stamp}: ${partyText(left)} ${arrow} ${partyText(right)} ${event} (${summary(record)})`;
}

function eventOf(routing: string, flow: ShownFlow): string {
  const { l7, drop } = flow.record;
  if (l7 !== null) return `${l7Event(l7)} ${drop === null ? 'FORWARDED' : 'DROPPED'}`;
  return drop === null ? `${observationPoint(routing, flow)} FORWARDED` : 'Policy denied DROPPED';
}

function observationPoint(routing: string, { record, destination, isArriving }: ShownFlow): string {
  if (record.toProxy) return 'to-proxy';
  if (isArriving) return 'to-endpoint';
  if (destination.identity === RESERVED_IDENTITIES.host) return 'to-stack';
  const isPodOrNode = destination.identity !== RESERVED_IDENTITIES.world && destination.identity < FIRST_LOCAL_IDENTITY;
  return isPodOrNode && (routing === 'vxlan' || routing === 'geneve') ? 'to-overlay' : 'to-network';
}

function partyText({ namespace, pod, address, port, identity, names }: Party): string {
  const name = pod === undefined ? (names[0] ?? address) : `${namespace}/${pod}`;
  const place = port === 0 ? name : `${name}:${port}`;
  const reserved = reservedName(identity);
  return reserved === undefined ? `${place} (ID:${identity})` : `${place} (${reserved})`;
}

function summary({ protocol, tcpFlags, l7 }: FlowRecord): string {
  if (l7 !== null) return l7Summary(l7);
  const name = PROTOCOL_NAMES[protocol] ?? `protocol ${protocol}`;
  return name === 'TCP' ? `TCP Flags: ${flagNames(tcpFlags).join(', ')}` : name;
}

function flagNames(flags: number): string[] {
  return FLAG_NAMES.filter((_, bit) => ((flags >> bit) & 1) === 1);
}

function jsonLine({ datapath: { nodeName }, network }: CiliumView, flow: ShownFlow, offsetUs: number): string {
  const { record, source, destination, isIngress } = flow;
  const time = new Date((record.timeUs + offsetUs) / 1000).toISOString();
  const dropped = record.drop !== null;
  const direction = isIngress ? 'ingress' : 'egress';
  const { l7 } = record;
  const type = l7 !== null ? L7_EVENT : dropped ? DROP_EVENT : TRACE_EVENT;
  const observed = { Type: l7 === null ? 'L3_L4' : 'L7', node_name: nodeName, event_type: { type } };
  return JSON.stringify({
    flow: {
      time,
      verdict: dropped ? 'DROPPED' : 'FORWARDED',
      ...(dropped ? { drop_reason: DROP_REASON_POLICY } : {}),
      IP: { source: source.address, destination: destination.address, ipVersion: 'IPv4' },
      l4: layer4(record),
      ...(l7 === null ? {} : { l7: l7Json(l7) }),
      source: jsonParty(source),
      destination: jsonParty(destination),
      ...namesJson('source_names', source),
      ...namesJson('destination_names', destination),
      ...observed,
      traffic_direction: direction.toUpperCase(),
      ...(dropped
        ? { drop_reason_desc: 'POLICY_DENIED', [`${direction}_denied_by`]: deniedBy(record.drop?.cause) }
        : { trace_observation_point: observationPoint(network.routing, flow).toUpperCase().replace('-', '_') }),
      is_reply: record.isReply,
      Summary: summary(record),
    },
    node_name: nodeName,
    time,
  });
}

function layer4({ protocol, sourcePort, destinationPort, tcpFlags, isReply }: FlowRecord): object {
  const name = PROTOCOL_NAMES[protocol] ?? 'unknown';
  if (name === 'ICMPv4') return { [name]: { type: isReply ? 0 : 8 } };
  const ports = { source_port: sourcePort, destination_port: destinationPort };
  if (name !== 'TCP') return { [name]: ports };
  return { TCP: { ...ports, flags: Object.fromEntries(flagNames(tcpFlags).map((flag) => [flag, true])) } };
}

function namesJson(field: string, { names }: Party): object {
  return names.length === 0 ? {} : { [field]: names };
}

function jsonParty({ identity, namespace, pod, labels }: Party): object {
  return { identity, cluster_name: 'default', namespace, labels, pod_name: pod };
}

/** Of a drop's cause: `NetworkPolicy default/web, CiliumNetworkPolicy shop/db`. */
function deniedBy(cause = ''): object[] {
  return cause.split(', ').map((title) => {
    const [kind, place = ''] = title.split(' ');
    const [namespace, name] = place.includes('/') ? place.split('/') : [undefined, place];
    return { name, namespace, kind };
  });
}
