/** The packets that could tell more than what is known: where nothing that is known refuses the connection. Pure. */
import { type Backend, destinationOf } from './backends.ts';
import type { ClusterObjects } from './cluster-objects.ts';
import { type Explanation, explain } from './explain.ts';
import type { WantedProbe } from './packet-probes.ts';
import {
  asksDns,
  backendsOf,
  destinationQuestion,
  dnsQuestion,
  type ExplainQuestion,
  isEndpoint,
  serviceAddress,
} from './question.ts';

/** Endpoints that get a test packet. */
const MAX_PROBED = 8;

export function probesWorthwhile(objects: ClusterObjects, question: ExplainQuestion): WantedProbe[] {
  const { client, protocol } = question;
  if (protocol === 'sctp') return [];
  const { steps, backends: ends } = explain(objects, question);
  if (steps.some(({ passes }) => passes === false)) return [];
  const destination = destinationOf(objects, destinationQuestion(question));
  const backends = backendsOf(destination).filter((_, i) => ends[i]?.passes === true);
  const tested = backends.filter((backend) => isAnswering(objects, backend)).slice(0, MAX_PROBED);
  const direct = tested.map(({ address, port = 0, pod }): WantedProbe => {
    return { client, protocol, address, port, servers: pod === undefined ? [] : [pod] };
  });
  const named = asksDns(question, destination) ? dnsProbes(objects, dnsQuestion(question)) : [];
  // A proxy would take a test datagram for a bad question.
  if (protocol === 'udp' && isInspected(ends)) return named;
  const whole = backends.length === ends.length ? serviceProbes(objects, question) : [];
  return [...named, ...whole, ...direct];
}

function dnsProbes(objects: ClusterObjects, question: ExplainQuestion): WantedProbe[] {
  return isInspected(explain(objects, question).backends) ? [] : serviceProbes(objects, question);
}

function isInspected(ends: Explanation['backends']): boolean {
  return ends.some(({ steps }) => steps.some(({ inspected }) => inspected === true));
}

/** At the Service's own address, which leads to any of its endpoints. */
function serviceProbes(objects: ClusterObjects, question: ExplainQuestion): WantedProbe[] {
  const { client, protocol } = question;
  const destination = destinationOf(objects, destinationQuestion(question));
  const asked = serviceAddress(question, destination);
  if (protocol === 'sctp' || asked === undefined) return [];
  const backends = backendsOf(destination);
  const servers = backends.flatMap(({ pod }) => pod ?? []);
  const isAll = servers.length === backends.length || protocol !== 'udp';
  return isAll && backends.every((one) => isAnswering(objects, one)) ? [{ client, protocol, ...asked, servers }] : [];
}

/** Somebody of the cluster, or an API server. */
function isAnswering({ slices }: ClusterObjects, { pod, node, address }: Backend): boolean {
  return pod !== undefined || node !== undefined || isEndpoint(slices, address);
}
