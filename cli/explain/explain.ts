/**
 * Would a packet pass, and what decides: the Service, its endpoints, the way there, policies on either side, and whether somebody
 * listens; last, what became of a test packet, as much that drops packets is known to nobody but the node. Pure.
 */
import type { Node, Pod } from 'kubernetes-types/core/v1.js';
import { isNodeReady } from '../../shared/api/node-condition.ts';
import { policyPodOf } from '../../shared/policy/policy-pod.ts';
import type { PolicyDecision } from '../../shared/policy/port-verdicts.ts';
import type { LinkFault } from '../../shared/rules/link-fault.ts';
import { ECHO_REQUEST } from '../../shared/wire/icmp.ts';
import { formatEndpoint, isInNetwork, parseAddress, parsePrefix } from '../../shared/wire/ip-address.ts';
import { type Backend, type Destination, destinationOf, isLoopback, isOver, UNANSWERED } from './backends.ts';
import { type ClusterObjects, policyState } from './cluster-objects.ts';
import { l7Text } from './l7-text.ts';
import { addressLike, type Ends, type LiveFacts, listensAt, NO_FACTS, routeKey } from './live-facts.ts';
import { endpointOf, probeKey } from './packet-probes.ts';
import {
  asksDns,
  backendsOf,
  destinationQuestion,
  dnsQuestion,
  type ExplainQuestion,
  isEndpoint,
  PROTOCOLS,
  serviceAddress,
} from './question.ts';
import { Reachability } from './reachability.ts';

export interface Step {
  readonly subject: 'source' | 'name' | 'service' | 'route' | 'link' | 'egress' | 'ingress' | 'program' | 'packet';
  /** `null`: says something and decides nothing. */
  readonly passes: boolean | null;
  readonly text: string;
  /** It depends on what the connection carries. */
  readonly inspected?: boolean;
}

export interface Explanation {
  /** All backends can be reached. */
  readonly passes: boolean;
  /** One sentence. */
  readonly summary: string;
  readonly steps: readonly Step[];
  /** The steps of each backend that a packet may go to. */
  readonly backends: readonly { readonly address: string; readonly passes: boolean; readonly steps: readonly Step[] }[];
}

export function explain(objects: ClusterObjects, question: ExplainQuestion): Explanation {
  const source = sourceStep(objects, question);
  if (source.passes === false) return refusal([source]);
  const destination = destinationOf(objects, destinationQuestion(question));
  if (destination.kind === 'nothing') return refusal([source, step('route', false, destination.reason)]);
  const reachability = new Reachability(policyState(objects));
  const name = nameSteps(objects, question, destination, reachability);
  if (name.some(({ passes }) => passes === false)) return refusal([source, ...name]);
  const before = [source, ...name, ...serviceSteps(destination), ...servicePacketSteps(question, destination)];
  const backends = backendsOf(destination);
  if (backends.length === 0) return refusal(before);
  const ends = backends.map((backend) => {
    const steps = backendSteps(objects, question, reachability, backend);
    return { address: endpointText(backend), passes: steps.every(({ passes }) => passes !== false), steps };
  });
  const open = ends.filter(({ passes }) => passes).length;
  const lost = before.find(({ passes }) => passes === false);
  if (open > 0 && lost !== undefined)
    return { passes: false, summary: `no: ${lost.text}`, steps: before, backends: ends };
  return { passes: open === ends.length, summary: summaryOf(ends, open), steps: before, backends: ends };
}

/** The connections that the packet may open, of which `facts` should be known. */
export function endsOf(objects: ClusterObjects, question: ExplainQuestion): Ends[] {
  const { client } = question;
  const backends = backendsOf(destinationOf(objects, destinationQuestion(question)));
  return backends.flatMap(({ address: serverAddress, pod: server }) =>
    server === undefined ? [] : [{ client, server, serverAddress }],
  );
}

function refusal(steps: readonly Step[]): Explanation {
  return { passes: false, summary: `no: ${steps.at(-1)?.text}`, steps, backends: [] };
}

function summaryOf(ends: Explanation['backends'], open: number): string {
  const isAnswered = ends.every(({ steps }) => steps.every(({ text }) => !text.endsWith(UNANSWERED)));
  if (open === ends.length) return isAnswered ? 'yes' : `yes, though ${UNANSWERED}`;
  const reason = ends.find(({ passes }) => !passes)?.steps.find(({ passes }) => passes === false)?.text;
  if (ends.length === 1 || open === 0) return `no: ${reason}`;
  return `sometimes: ${open} of ${ends.length} endpoints can be reached; ${reason}`;
}

function sourceStep({ nodes }: ClusterObjects, { client, facts }: ExplainQuestion): Step {
  const { metadata, spec, status } = client;
  const title = `pod ${metadata?.namespace}/${metadata?.name}`;
  if (status?.podIP === undefined || isOver({ status })) {
    return step('source', false, `${title} is ${status?.phase ?? 'Pending'} and has no address`);
  }
  const down = nodeFault(nodes, spec?.nodeName, facts);
  if (down !== undefined) return step('source', false, `${title} is on ${down}`);
  const network = spec?.hostNetwork ? ", on the node's network" : '';
  return step('source', null, `${title}, ${status.podIP} on ${spec?.nodeName}${network}`);
}

/** Whether the client learns what the name stands for: policies that forget DNS are a common mistake. */
function nameSteps(
  objects: ClusterObjects,
  question: ExplainQuestion,
  destination: Destination,
  reachability: Reachability,
): Step[] {
  if (!asksDns(question, destination)) return [];
  const { hostNetwork, dnsPolicy = 'ClusterFirst' } = question.client.spec ?? {};
  if (dnsPolicy === 'Default' || dnsPolicy === 'None' || (hostNetwork && dnsPolicy === 'ClusterFirst')) {
    return [step('name', false, "its DNS is the node's, which does not know the name: ask by the address")];
  }
  const dns = dnsQuestion(question);
  const found = destinationOf(objects, destinationQuestion(dns));
  const servers = backendsOf(found);
  if (servers.length === 0)
    return [step('name', false, 'nobody tells the address: no pod of the cluster DNS is ready')];
  const refusals = servers.flatMap(
    (server) => backendSteps(objects, dns, reachability, server).find(({ passes }) => passes === false) ?? [],
  );
  const [first] = refusals;
  const lost = servicePacketSteps(dns, found).find(({ passes }) => passes === false);
  if (first === undefined) {
    return lost === undefined ? [] : [step('name', false, `the name cannot be asked of the cluster DNS: ${lost.text}`)];
  }
  const all = refusals.length === servers.length;
  const which = all ? 'the cluster DNS' : `${refusals.length} of ${servers.length} pods of the cluster DNS`;
  return [step('name', all ? false : null, `the name cannot be asked of ${which} (53/UDP): ${first.text}`)];
}

function serviceSteps(destination: Destination): Step[] {
  if (destination.kind !== 'service') return [];
  const { service, port, backends, waiting, elsewhere } = destination;
  const title = `Service ${service.metadata?.namespace}/${service.metadata?.name}`;
  const unready = waiting === 0 ? '' : `, ${waiting} more not ready`;
  if (backends.length === 0) {
    const unready = waiting === 0 ? 'its selector finds no pod' : `${waiting} are not ready`;
    const why = elsewhere === 0 ? unready : `${elsewhere} are on other nodes, and its internalTrafficPolicy is Local`;
    return [step('service', false, `${title} has no endpoint for port ${port.port}: ${why}`)];
  }
  return [step('service', true, `${title} port ${port.port} leads to ${countText(backends.length)}${unready}`)];
}

function servicePacketSteps(question: ExplainQuestion, destination: Destination): Step[] {
  const asked = serviceAddress(question, destination);
  return asked === undefined ? [] : packetSteps(question, asked);
}

/** Nothing is said where none was sent. */
function packetSteps(
  { protocol, facts = NO_FACTS }: ExplainQuestion,
  { address, port = 0 }: { readonly address: string; readonly port?: number | undefined },
): Step[] {
  if (protocol === 'sctp') return [];
  const probe = { protocol, address, port };
  const outcome = facts.probes.get(probeKey(probe));
  if (outcome === undefined) return [];
  return [step('packet', outcome.answered, `a test packet to ${endpointOf(probe)} ${outcome.text}`)];
}

/** What stands behind a port of a node. */
function nodePortSteps({ node, nodePort }: Backend): Step[] {
  if (nodePort === undefined) return [];
  const { service, endpoints, elsewhere } = nodePort;
  const title = `a node port of Service ${service.metadata?.namespace}/${service.metadata?.name}`;
  if (endpoints > 0) return [step('service', true, `${title}, which leads to ${countText(endpoints)}`)];
  const why =
    elsewhere === 0
      ? 'which has no endpoint that is ready'
      : `whose externalTrafficPolicy is Local, and no endpoint is on ${node?.metadata?.name}`;
  return [step('service', false, `${title}, ${why}`)];
}

function countText(endpoints: number): string {
  return `${endpoints} endpoint${endpoints === 1 ? '' : 's'}`;
}

function backendSteps(
  objects: ClusterObjects,
  question: ExplainQuestion,
  reachability: Reachability,
  backend: Backend,
): Step[] {
  const { client, protocol, enforced } = question;
  const route = routeStep(objects, question, backend);
  const needsPort = protocol !== 'icmp';
  if (needsPort && backend.port === undefined) {
    return [
      route,
      step('route', false, `which port? ${backend.address} declares none for ${protocol}: name it, as in web:80`),
    ];
  }
  const clientAddress = parseAddress(sourceOf(question, backend.address));
  const serverAddress = parseAddress(backend.address);
  if (clientAddress === undefined || serverAddress === undefined) {
    return [
      route,
      step('route', false, `pod ${client.metadata?.name} has no address of the family of ${backend.address}`),
    ];
  }
  const links = [...forwardingSteps(question, backend), ...linkSteps(question, backend)];
  const { egress, ingress } = reachability.ask({
    client: policyPodOf(client),
    clientAddress,
    server: backend.pod === undefined ? undefined : policyPodOf(backend.pod),
    serverAddress,
    protocol: PROTOCOLS[protocol],
    port: needsPort ? (backend.port ?? 0) : ECHO_REQUEST,
  });
  const policies = [policyStep('egress', egress, enforced), policyStep('ingress', ingress, enforced)];
  const programs = [...nodePortSteps(backend), ...programSteps(question, backend)];
  return [route, ...links, ...policies, ...programs, ...packetSteps(question, backend)];
}

/** A node sends to pods with the address of the device that its route names: flannel.1's, not its InternalIP. */
function sourceOf({ client, facts = NO_FACTS }: ExplainQuestion, address: string): string {
  if (isLoopback(address)) return address;
  const route = client.spec?.hostNetwork ? facts.routes.get(routeKey(client.spec.nodeName, address)) : undefined;
  return route?.source ?? addressLike(client, address);
}

/** Either way: where a node has no route to the pod of another, as while a BGP session is down. */
function forwardingSteps({ client, facts = NO_FACTS }: ExplainQuestion, { address, pod }: Backend): Step[] {
  const [here, there] = [client.spec?.nodeName, pod?.spec?.nodeName];
  if (pod === undefined || here === there) return [];
  const ways = [
    ...(pod.spec?.hostNetwork ? [] : [{ node: here, to: address }]),
    ...(client.spec?.hostNetwork ? [] : [{ node: there, to: addressLike(client, address) }]),
  ];
  return ways.flatMap(({ node, to }) => {
    const route = facts.routes.get(routeKey(node, to));
    if (route === undefined || (route !== null && !route.isDefault)) return [];
    const instead = route === null ? '' : ', and it would leave by the default route';
    return [step('route', false, `node ${node} has no route to ${to}${instead}`)];
  });
}

/** Faults of the link between the two nodes, of their cards, and of the pods' cables, either way: an answer must come back. */
function linkSteps({ client, facts = NO_FACTS }: ExplainQuestion, { pod }: Backend): Step[] {
  const [here, there] = [client.spec?.nodeName, pod?.spec?.nodeName];
  const isOf = ({ metadata }: Pod, name: string, namespace: string): boolean =>
    metadata?.name === name && metadata.namespace === namespace;
  const isOnTheWay = ({ target, from, to }: LinkFault): boolean => {
    switch (target.kind) {
      case 'peer':
        return (from === here && target.node === there) || (from === there && target.node === here);
      case 'pod':
        return [client, ...(pod === undefined ? [] : [pod])].some((end) => isOf(end, target.pod, target.namespace));
      case 'device': {
        const node = target.direction === 'to' ? from : to;
        return target.device === 'eth0' && here !== there && [here, there].includes(node);
      }
    }
  };
  return facts.faults.filter(isOnTheWay).map((fault) => {
    const { from, to, impairment } = fault;
    const cut = impairment.partition || impairment.loss >= 1;
    const what = cut ? 'is cut' : 'has a fault';
    return step('link', cut ? false : null, `the link ${from} -> ${to} ${what}: podwire link show`);
  });
}

/** Nothing is said where it is not known. */
function programSteps({ protocol, facts = NO_FACTS }: ExplainQuestion, { address, port, pod }: Backend): Step[] {
  const listeners = facts.listeners.get(pod?.metadata?.uid ?? '');
  if (listeners === undefined || port === undefined || (protocol !== 'tcp' && protocol !== 'udp')) return [];
  const title = `pod ${pod?.metadata?.namespace}/${pod?.metadata?.name}`;
  const name = `${port}/${protocol.toUpperCase()}`;
  if (listensAt(listeners, { protocol, address, port })) return [step('program', true, `${title} listens at ${name}`)];
  const others = listeners.filter((one) => one.protocol === protocol);
  const elsewhere = others.filter((one) => one.port === port).map((one) => formatEndpointText(one.address, port));
  if (elsewhere.length > 0) {
    return [step('program', false, `${title} listens at ${elsewhere.join(', ')}, and not at ${address}`)];
  }
  const ports = [...new Set(others.map((one) => one.port))].sort((a, b) => a - b);
  const has = ports.length === 0 ? 'at no port' : `at ${ports.join(', ')}`;
  return [step('program', false, `nothing in ${title} listens at ${name}: it listens ${has}`)];
}

function routeStep({ nodes, slices }: ClusterObjects, { client, facts }: ExplainQuestion, backend: Backend): Step {
  const { address, pod, node } = backend;
  if (node !== undefined) {
    const fault = nodeFault(nodes, node.metadata?.name, facts);
    return step('route', fault === undefined, fault ?? `${address} is node ${node.metadata?.name}`);
  }
  if (pod === undefined) {
    const inPodRange = nodes.some(({ spec }) => (spec?.podCIDRs ?? []).some((cidr) => contains(cidr, address)));
    if (inPodRange) return step('route', false, `no pod has the address ${address}`);
    const way = `${address} is outside of the cluster: by the default route of ${client.spec?.nodeName}`;
    return step('route', true, isEndpoint(slices, address) ? way : `${way}; ${UNANSWERED}`);
  }
  const title = `pod ${pod.metadata?.namespace}/${pod.metadata?.name}`;
  if (isLoopback(address)) return step('route', true, `${title} itself, by its loopback`);
  const down = nodeFault(nodes, pod.spec?.nodeName, facts);
  if (down !== undefined) return step('route', false, `${title} is on ${down}`);
  const same = pod.spec?.nodeName === client.spec?.nodeName;
  return step('route', true, `${title}, ${address} on ${pod.spec?.nodeName}${same ? ', the same node' : ''}`);
}

/** Undefined for a node that is up. */
function nodeFault(
  nodes: readonly Node[],
  name: string | undefined,
  { stopped }: LiveFacts = NO_FACTS,
): string | undefined {
  const node = nodes.find(({ metadata }) => metadata?.name === name);
  if (node === undefined) return `node ${name ?? '(none)'}, which is not there`;
  if (stopped.has(name ?? '')) return `node ${name}, which does not run: podwire node start ${name}`;
  return isNodeReady(node) ? undefined : `node ${name}, which is not Ready`;
}

function policyStep(side: 'egress' | 'ingress', decision: PolicyDecision | null, enforced: boolean): Step {
  const whose = side === 'egress' ? 'what the client sends' : 'what the server receives';
  if (decision === null) return step(side, null, `no policy speaks of ${whose}`);
  const { drop, cause, rule, l7 } = decision;
  const by = rule === null ? cause : `${cause}, ${rule}`;
  if (drop === null && l7 !== undefined) return { ...step(side, true, `allowed by ${l7Text(l7)}`), inspected: true };
  if (drop === null)
    return step(side, true, rule === null && cause === 'no policy' ? `no rule refuses ${whose}` : `allowed by ${by}`);
  const why = rule === null ? `${cause} ${selects(cause)} the pod, and no rule allows it` : `denied by ${by}`;
  if (!enforced) return step(side, null, `${why}: without effect, as the CNI plugin does not enforce policies`);
  return step(side, false, why);
}

/** A cause without a rule is one policy, or all that speak of the pod. */
function selects(cause: string): string {
  return cause.includes(', ') ? 'select' : 'selects';
}

function endpointText({ address, port }: Backend): string {
  return port === undefined ? address : formatEndpointText(address, port);
}

function formatEndpointText(address: string, port: number): string {
  return formatEndpoint(parseAddress(address) ?? 0, port);
}

function contains(cidr: string, text: string): boolean {
  const prefix = parsePrefix(cidr);
  const address = parseAddress(text);
  return prefix !== undefined && address !== undefined && isInNetwork(address, prefix.address, prefix.prefixLength);
}

function step(subject: Step['subject'], passes: boolean | null, text: string): Step {
  return { subject, passes, text };
}
