/** `hubble observe [filters] [-o compact|json] [--last N] [--follow]`: flows of this node, in the forms of the original. */
import { formatIpv4 } from '../../../shared/wire/address.ts';
import * as tcp from '../../../shared/wire/tcp.ts';
import type { FlowRecord } from '../../datapath/cilium/flow-log.ts';
import { FIRST_LOCAL_IDENTITY, RESERVED_IDENTITIES, reservedName } from '../../datapath/cilium/identity.ts';
import type { PluginOutput } from '../plugin.ts';
import type { CiliumView } from './cilium-dbg.ts';
import { endpointId } from './endpoint-id.ts';
import { OBSERVE_OPTIONS, type Observation, observationOf } from './hubble-filters.ts';
import { type Party, PROTOCOL_NAMES, type ShownFlow, shownFlow, verdictOf } from './hubble-flow.ts';
import { l7Event, l7Json, l7Summary } from './hubble-l7.ts';

const DROP_REASON_POLICY = 133;
const [DROP_EVENT, TRACE_EVENT, L7_EVENT] = [1, 4, 129];

/** `wallClockUs` goes with the data path's time. */
export function hubble(view: CiliumView, words: readonly string[], wallClockUs: number): PluginOutput {
  const [command, ...rest] = words;
  if (command === 'status') return status(view);
  if (command !== 'observe')
    return `Error: unknown command "${command ?? ''}" for "hubble": there are observe and status here\n`;
  if (rest.includes('--help') || rest.includes('-h')) return usage();
  const { flows, datapath } = view;
  const offsetUs = wallClockUs - datapath.root.engine.nowUs;
  let asked: Observation;
  try {
    asked = observationOf(rest, datapath.nodeName, wallClockUs, offsetUs);
  } catch (error) {
    return `Error: ${(error as Error).message}\n`; // of parseArgs, or of ours
  }
  const records = asked.after === undefined ? flows.list() : flows.since(asked.after);
  const names = view.names.namesByAddress();
  const passing = records.map((record) => shownFlow(view, names, record)).filter(asked.passes);
  const line = (flow: ShownFlow) =>
    asked.output === 'json'
      ? jsonLine(view, flow, offsetUs)
      : compactLine(view, flow, offsetUs, asked.printsNodeName ? ` [${datapath.nodeName}]` : '');
  const text = asked
    .shown(passing)
    .map((flow) => `${line(flow)}\n`)
    .join('');
  return asked.follow ? { text, next: [command, ...withoutAfter(rest), `--after=${flows.seen}`] } : text;
}

function withoutAfter(words: readonly string[]): string[] {
  return words.filter((word) => !word.startsWith('--after='));
}

function usage(): string {
  return `Usage:\n  hubble observe [flags]\n\nFlags:\n${OBSERVE_OPTIONS.map((name) => `  --${name}\n`).join('')}`;
}

function status({ flows }: CiliumView): string {
  return `Healthcheck (via localhost:4245): Ok\nCurrent/Max Flows: ${flows.size}/4,095\nFlows seen: ${flows.seen}\n`;
}

function compactLine({ network }: CiliumView, flow: ShownFlow, offsetUs: number, node: string): string {
  const { record, source, destination } = flow;
  const time = new Date((record.timeUs + offsetUs) / 1000);
  const stamp = `${time.toUTCString().slice(8, 11)} ${`${time.getUTCDate()}`.padStart(2)} ${time.toISOString().slice(11, 23)}`;
  const arrow = record.drop !== null ? '<>' : record.isReply ? '<-' : '->';
  // Of a reply too the client stands at the left.
  const [left, right] = record.isReply ? [destination, source] : [source, destination];
  const event = eventOf(network.routing, flow);
  return `${stamp}${node}: ${partyText(left)} ${arrow} ${partyText(right)} ${event} (${summary(record)})`;
}

function eventOf(routing: string, flow: ShownFlow): string {
  const { l7, drop } = flow.record;
  const event = l7 !== null ? l7Event(l7) : drop === null ? observationPoint(routing, flow) : 'Policy denied';
  return `${event} ${verdictOf(flow)}`;
}

function observationPoint(routing: string, { record, destination, isArriving }: ShownFlow): string {
  if (record.toProxy) return 'to-proxy';
  if (isArriving) return 'to-endpoint';
  if (destination.identity === RESERVED_IDENTITIES.host) return 'to-stack';
  const isPodOrNode = destination.identity !== RESERVED_IDENTITIES.world && destination.identity < FIRST_LOCAL_IDENTITY;
  return isPodOrNode && (routing === 'vxlan' || routing === 'geneve') ? 'to-overlay' : 'to-network';
}

function partyText({ namespace, pod, address, port, identity, names }: Party): string {
  const name = pod === undefined ? (names[0] ?? formatIpv4(address)) : `${namespace}/${pod}`;
  const place = port === 0 ? name : `${name}:${port}`;
  const reserved = reservedName(identity);
  return reserved === undefined ? `${place} (ID:${identity})` : `${place} (${reserved})`;
}

function summary({ protocol, tcpFlags, l7 }: FlowRecord): string {
  if (l7 !== null) return l7Summary(l7);
  const name = PROTOCOL_NAMES[protocol] ?? `protocol ${protocol}`;
  return name === 'TCP' ? `TCP Flags: ${tcp.flagNames(tcpFlags).join(', ')}` : name;
}

function jsonLine(view: CiliumView, flow: ShownFlow, offsetUs: number): string {
  const { datapath, network } = view;
  const { nodeName } = datapath;
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
      verdict: verdictOf(flow),
      ...(dropped ? { drop_reason: DROP_REASON_POLICY } : {}),
      IP: { source: formatIpv4(source.address), destination: formatIpv4(destination.address), ipVersion: 'IPv4' },
      l4: layer4(record),
      ...(l7 === null ? {} : { l7: l7Json(l7) }),
      source: jsonParty(view, source),
      destination: jsonParty(view, destination),
      ...namesJson('source_names', source),
      ...namesJson('destination_names', destination),
      ...observed,
      traffic_direction: direction.toUpperCase(),
      ...(dropped
        ? { drop_reason_desc: 'POLICY_DENIED', [`${direction}_denied_by`]: policiesOf(record.drop?.cause) }
        : { trace_observation_point: observationPoint(network.routing, flow).toUpperCase().replace('-', '_') }),
      ...allowedBy(record),
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
  return { TCP: { ...ports, flags: Object.fromEntries(tcp.flagNames(tcpFlags).map((flag) => [flag, true])) } };
}

function namesJson(field: string, { names }: Party): object {
  return names.length === 0 ? {} : { [field]: names };
}

/** `ID`: of an endpoint here. */
function jsonParty({ datapath }: CiliumView, { identity, namespace, pod, labels, address }: Party): object {
  const id = endpointId(datapath, address);
  return { ...(id === 0 ? {} : { ID: id }), identity, cluster_name: 'default', namespace, labels, pod_name: pod };
}

/** The policies of either side whose rules let a connection begin. */
function allowedBy({ verdict, drop }: FlowRecord): object {
  if (verdict === null || drop !== null) return {};
  const sides = (['ingress', 'egress'] as const).filter((side) => (verdict[side]?.rule ?? null) !== null);
  return Object.fromEntries(sides.map((side) => [`${side}_allowed_by`, policiesOf(verdict[side]?.cause)]));
}

/** Of a cause: `NetworkPolicy default/web, CiliumNetworkPolicy shop/db`. */
function policiesOf(cause = ''): object[] {
  return cause.split(', ').map((title) => {
    const [kind, place = ''] = title.split(' ');
    const [namespace, name] = place.includes('/') ? place.split('/') : [undefined, place];
    return { name, namespace, kind };
  });
}
