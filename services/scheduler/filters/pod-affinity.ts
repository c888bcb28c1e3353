/** Required inter-pod affinity and anti-affinity, in both directions. */
import type { PodAffinityTerm } from 'kubernetes-types/core/v1.js';
import { type CompiledTerm, compileTerm } from '../affinity-term.ts';
import { type NodeInfo, requiredAntiAffinity } from '../node-info.ts';
import { FITS, type Filter, never, notNow, type Placement } from './filter.ts';

/** `key\nvalue` of topology domains. */
type Domains = Set<string>;

export const podAffinity: Filter = (placement) => {
  const { pod, namespaces } = placement;
  const { podAffinity: affinity, podAntiAffinity: antiAffinity } = pod.spec.affinity ?? {};
  const compile = (term: PodAffinityTerm): CompiledTerm => compileTerm(term, pod, namespaces);
  const wanted = (affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(compile);
  const unwanted = (antiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(compile);
  const wantedDomains = wanted.map((term) => domainsOf(term, placement));
  const unwantedDomains = unwanted.map((term) => domainsOf(term, placement));
  const guarded = guardedDomains(placement);
  // The first pod of a group that wants to be together has nobody to go to.
  const isFirst =
    wanted.length > 0 && wantedDomains.every(({ size }) => size === 0) && wanted.every((t) => t.matches(pod));

  return ({ node }) => {
    const labels = node.metadata.labels ?? {};
    const inDomain = (term: CompiledTerm, domains: Domains | undefined): boolean => {
      const value = labels[term.topologyKey];
      return value !== undefined && domains?.has(domainKey(term.topologyKey, value)) === true;
    };
    const hasAllKeys = wanted.every(({ topologyKey }) => labels[topologyKey] !== undefined);
    if (wanted.some((term, i) => !inDomain(term, wantedDomains[i])) && !(isFirst && hasAllKeys)) {
      return never("node(s) didn't match pod affinity rules");
    }
    if (unwanted.some((term, i) => inDomain(term, unwantedDomains[i]))) {
      return notNow("node(s) didn't match pod anti-affinity rules");
    }
    const refused = Object.entries(labels).some(([key, value]) => guarded.has(domainKey(key, value)));
    return refused ? notNow("node(s) didn't satisfy existing pods anti-affinity rules") : FITS;
  };
};

function domainKey(key: string, value: string): string {
  return `${key}\n${value}`;
}

function addDomain(domains: Domains, { node }: NodeInfo, key: string): void {
  const value = node.metadata.labels?.[key];
  if (value !== undefined) domains.add(domainKey(key, value));
}

/** Where pods are that the term matches. */
function domainsOf(term: CompiledTerm, { nodes }: Placement): Domains {
  const domains: Domains = new Set();
  for (const info of nodes) {
    for (const { pod } of info.pods.values()) {
      if (!term.matches(pod)) continue;
      addDomain(domains, info, term.topologyKey);
      break;
    }
  }
  return domains;
}

/** Where pods are whose own anti-affinity keeps this pod away. */
function guardedDomains({ pod, nodes, namespaces }: Placement): Domains {
  const domains: Domains = new Set();
  for (const info of nodes) {
    for (const other of info.guarding) {
      for (const term of requiredAntiAffinity(other)) {
        if (compileTerm(term, other, namespaces).matches(pod)) addDomain(domains, info, term.topologyKey);
      }
    }
  }
  return domains;
}
