/** IPPool (projectcalico.org/v3) as addresses are given out of it. */
import { parseCalicoSelector, SelectorSyntaxError } from '../../../../shared/policy/calico-selector.ts';
import { type IpPrefix, parsePrefix } from '../../../../shared/wire/ip-address.ts';

export type EncapsulationMode = 'Always' | 'CrossSubnet' | 'Never';

export interface IpPoolObject {
  readonly metadata?: { readonly name?: string };
  readonly spec?: {
    readonly cidr?: string;
    readonly blockSize?: number;
    readonly ipipMode?: EncapsulationMode;
    readonly vxlanMode?: EncapsulationMode;
    readonly natOutgoing?: boolean;
    readonly disabled?: boolean;
    readonly nodeSelector?: string;
  };
}

export interface IpPool {
  readonly name: string;
  readonly cidr: IpPrefix;
  /** A prefix length. */
  readonly blockSize: number;
  readonly ipipMode: EncapsulationMode;
  readonly vxlanMode: EncapsulationMode;
  readonly natOutgoing: boolean;
  /** Gives out no more addresses; those that are out stay. */
  readonly disabled: boolean;
  readonly nodeSelector: string;
}

const DEFAULT_BLOCK_SIZE = 26;

/** Undefined for one of IPv6, and one that cannot be read. */
export function ipPoolOf({ metadata, spec = {} }: IpPoolObject): IpPool | undefined {
  const { cidr: text = '', blockSize = DEFAULT_BLOCK_SIZE } = spec;
  const cidr = text.includes(':') ? undefined : parsePrefix(text);
  if (cidr === undefined) return undefined;
  return {
    name: metadata?.name ?? '',
    cidr,
    blockSize: Math.max(blockSize, cidr.prefixLength),
    ipipMode: spec.ipipMode ?? 'Never',
    vxlanMode: spec.vxlanMode ?? 'Never',
    natOutgoing: spec.natOutgoing ?? false,
    disabled: spec.disabled ?? false,
    nodeSelector: spec.nodeSelector ?? '',
  };
}

/** Whether pods of a node with these labels get addresses of the pool without asking for it. */
export function isForNode({ disabled, nodeSelector }: IpPool, labels: Readonly<Record<string, string>>): boolean {
  return !disabled && selects(nodeSelector, labels);
}

/** A selector that cannot be read selects nothing. */
export function selects(selector: string, labels: Readonly<Record<string, string>>): boolean {
  try {
    return parseCalicoSelector(selector).matches((key) => labels[key]);
  } catch (error) {
    if (error instanceof SelectorSyntaxError) return false;
    throw error;
  }
}
