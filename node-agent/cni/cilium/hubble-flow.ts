/** A flow with the names that its ends have: what hubble filters, and shows. */
import type { FlowRecord } from '../../datapath/cilium/flow-log.ts';
import type { CiliumView } from './cilium-dbg.ts';
import { identityLabels } from './identity-labels.ts';

export const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 1: 'ICMPv4', 6: 'TCP', 17: 'UDP', 132: 'SCTP' };

export interface Party {
  readonly address: number;
  readonly port: number;
  readonly identity: number;
  readonly namespace: string | undefined;
  readonly pod: string | undefined;
  readonly labels: readonly string[];
  /** By DNS, as this node's pods were told. */
  readonly names: readonly string[];
}

export interface ShownFlow {
  readonly record: FlowRecord;
  readonly source: Party;
  readonly destination: Party;
  /** To a pod here. */
  readonly isArriving: boolean;
  /** The connection's server is a pod here. */
  readonly isIngress: boolean;
}

export type NamesByAddress = ReturnType<CiliumView['names']['namesByAddress']>;

export function shownFlow(view: CiliumView, names: NamesByAddress, record: FlowRecord): ShownFlow {
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
  return {
    address,
    port,
    identity,
    namespace: known?.pod.namespace,
    pod: known?.pod.name,
    labels: identityLabels(directory, identity),
    names: known === undefined ? [...(names.get(address) ?? [])].map((name) => name.replace(/\.$/, '')) : [],
  };
}

export function verdictOf({ record }: ShownFlow): string {
  return record.drop === null ? 'FORWARDED' : 'DROPPED';
}
