/**
 * The unit in which a node is programmed: all of it takes effect between two packets, or none of it does.
 * Like `iptables-restore --noflush`, a chain that is named is replaced whole and others stay as they are.
 *
 * Every owner (`kube-proxy`, `flannel`, ...) has chains and hook rules of its own and a generation that counts its
 * transactions. A transaction says on which generation of which boot it builds; the node answers `resync` when it
 * stands elsewhere (it rebooted, or a reply was lost), and the owner then sends everything anew with `base: null`.
 */
import type { IpFamily } from '../wire/ip-address.ts';
import type { BpfChange } from './bpf.ts';
import type { IpvsChange } from './ipvs.ts';
import type { NftChange } from './nft.ts';
import type { ProtocolName, Rule } from './rule.ts';
import type { BuiltInChain, TableName } from './table.ts';

/** A rule in a built-in chain: `first` stands before every `last`, as `iptables -I` and `-A` would put them. */
export interface HookRule {
  readonly chain: BuiltInChain;
  readonly position: 'first' | 'last';
  readonly rule: Rule;
}

export interface TableChange {
  /** Chains to make or to replace, with all their rules. */
  readonly set?: Readonly<Record<string, readonly Rule[]>>;
  /** Chains to delete; nothing may refer to them afterwards. */
  readonly delete?: readonly string[];
  /** All rules of this owner in built-in chains; left out, they stay as they are. */
  readonly hooks?: readonly HookRule[];
}

/**
 * Connections to delete from conntrack once the rules are in place: those with all the fields that are named. kube-proxy
 * does so for UDP when an endpoint goes away or the first one comes, since a flow that keeps sending never expires.
 */
export interface ForgottenConnections {
  readonly protocol: ProtocolName;
  /** What the client asked: a Service's address (uint32) and port. */
  readonly originalDestination?: number;
  readonly originalDestinationPort?: number;
  /** Who answers: a backend's address (uint32). */
  readonly replySource?: number;
}

export interface RulesTransaction {
  readonly owner: string;
  /** Whose tables: iptables' (`ipv4`, the default) or ip6tables'. Each counts generations of its own. */
  readonly family?: IpFamily;
  /** The node's boot this builds on; ignored when `base` is null. */
  readonly bootId: string;
  /** The owner's generation this builds on; null replaces all that the owner has. */
  readonly base: number | null;
  readonly tables: Readonly<Partial<Record<TableName, TableChange>>>;
  /** Virtual servers and the sets that rules ask; with `base: null` they replace all that the owner has. */
  readonly ipvs?: IpvsChange;
  /** nftables' table `kube-proxy`; the same holds. */
  readonly nft?: NftChange;
  /** The load balancer maps of the eBPF data path; the same holds. */
  readonly bpf?: BpfChange;
  readonly forget?: readonly ForgottenConnections[];
}

export interface RuleProblem {
  /** Where: `nat KUBE-SERVICES rule 3`. */
  readonly where: string;
  /** What is wrong and what would be right. */
  readonly message: string;
}

export type RulesReply =
  | { readonly kind: 'applied'; readonly bootId: string; readonly generation: number }
  | { readonly kind: 'resync'; readonly bootId: string; readonly reason: string }
  | { readonly kind: 'invalid'; readonly bootId: string; readonly problems: readonly RuleProblem[] };
