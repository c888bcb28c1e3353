/** Answers for the cluster's zone from the cluster's objects. */
import { parseResolvConf } from '../../../shared/podnet/resolv-conf.ts';
import type { Answering } from '../../answering.ts';
import { fallsThrough } from '../../fallthrough.ts';
import { emptyReply, passingFailure, type Reply, type ResourceRecord } from '../../message.ts';
import type { Handler, PluginContext, PluginSetup, Query } from '../../plugin.ts';
import { matchingZone } from '../../zone.ts';
import { type ClusterView, type Lookup, lookupRecords, soaRecord } from './answer.ts';
import { parseKubernetesOptions } from './options.ts';
import { wholeZone } from './whole-zone.ts';

export const setupKubernetes: PluginSetup = (directive, context) => {
  const options = parseKubernetesOptions(directive, context.zones);
  const cluster = context.cluster.open({ pods: options.pods === 'verified' });
  const view: ClusterView = {
    records: cluster.records,
    options,
    // The DNS server's own Service is the name server of the zone.
    get dnsAddresses() {
      return cluster.records.service('kube-system', 'kube-dns')?.clusterIps ?? [];
    },
  };
  return {
    handler: (next) => (query) => {
      const zone = matchingZone(query.question.key, options.zones);
      if (zone === undefined || query.question.class !== 'IN') return next(query);
      if (!cluster.synced()) return passingFailure(true);
      return answer(query, zone, view, context, next);
    },
    start: () => waitForSync(() => cluster.synced(), options.startupTimeoutMs, context),
    zoneRecords: (zone) => (options.zones.includes(zone) && cluster.synced() ? wholeZone(zone, view) : undefined),
    searchPath: (address) => searchPath(address, view, context),
    notReady: () => (cluster.synced() ? undefined : 'kubernetes'),
  };
};

/** What the kubelet writes into a pod's resolv.conf: its namespace first, then the host's own list when the host is asked. */
function searchPath(
  address: string,
  { records, options }: ClusterView,
  { egress, readFile }: PluginContext,
): string[] | undefined {
  const namespace = records.namespaceOfPod(address);
  const zone = options.zones.find((candidate) => !/(^|\.)(in-addr|ip6)\.arpa$/.test(candidate));
  if (namespace === undefined || zone === undefined) return undefined;
  const ofHost = egress === undefined ? [] : parseResolvConf(readFile('/etc/resolv.conf') ?? '').search;
  const underZone = (name: string): string => (zone === '' ? name : `${name}.${zone}`);
  return [underZone(`${namespace}.svc`), underZone('svc'), zone, ...ofHost];
}

const SYNC_POLL_MS = 20;

/** A server that starts without knowing everything answers SERVFAIL, which makes resolvers ask another one. */
async function waitForSync(synced: () => boolean, timeoutMs: number, { clock, print }: PluginContext): Promise<void> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  while (!synced()) {
    if (clock.monotonicMs() >= deadlineMs) {
      print('WARNING', 'plugin/kubernetes: starting server with unsynced Kubernetes API');
      return;
    }
    await clock.sleep(SYNC_POLL_MS);
  }
}

function answer(query: Query, zone: string, view: ClusterView, context: PluginContext, next: Handler): Answering {
  const { name, key, type } = query.question;
  if (type === 'AXFR' || type === 'IXFR') return emptyReply('REFUSED');
  const found = lookupRecords({ name, key, type, zone }, view);
  if (found.kind === 'nxdomain' && fallsThrough(key, view.options.fallthrough)) return next(query);
  return replyOf(found, query, zone, view, context);
}

function replyOf(found: Lookup, query: Query, zone: string, view: ClusterView, context: PluginContext): Answering {
  switch (found.kind) {
    case 'records': {
      const { answers, additionals } = found;
      return { ...emptyReply('NOERROR', true), answers, additionals };
    }
    case 'cname':
      return aliased(found.record, found.target, query, context);
    case 'nodata':
      return negative('NOERROR', zone, view);
    case 'nxdomain':
      return negative('NXDOMAIN', zone, view);
  }
}

async function aliased(record: ResourceRecord, target: string, query: Query, context: PluginContext): Promise<Reply> {
  const { answers, truncated } = await resolveTarget(target, query, context);
  return { ...emptyReply('NOERROR', true), answers: [record, ...answers], ...(truncated ? { truncated } : {}) };
}

/** A target that cannot be resolved leaves the alias alone, as the client may know better. */
async function resolveTarget(
  target: string,
  query: Query,
  { lookup }: PluginContext,
): Promise<Pick<Reply, 'answers' | 'truncated'>> {
  const { type } = query.question;
  const reply = type === 'CNAME' ? undefined : await lookup(target, type, query);
  return reply?.rcode === 'NOERROR' ? reply : { answers: [] };
}

function negative(rcode: 'NOERROR' | 'NXDOMAIN', zone: string, { records, options }: ClusterView): Reply {
  return { ...emptyReply(rcode, true), authorities: [soaRecord(zone, records.serial, options.ttlSeconds)] };
}
