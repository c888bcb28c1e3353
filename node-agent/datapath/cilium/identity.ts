/** Security identities of cilium (pkg/identity/numericidentity.go there): a number for each set of labels, and reserved ones. */

export const RESERVED_IDENTITIES = {
  host: 1,
  world: 2,
  unmanaged: 3,
  health: 4,
  init: 5,
  'remote-node': 6,
  'kube-apiserver': 7,
} as const;

/** Below are reserved ones. */
export const MIN_POD_IDENTITY = 256;
export const MAX_POD_IDENTITY = 65_535;

/** From here on a node gives numbers to what is outside of the cluster: they mean nothing on another one. */
export const FIRST_LOCAL_IDENTITY = 2 ** 24 + 1;

const NAMES = new Map<number, string>(Object.entries(RESERVED_IDENTITIES).map(([name, number]) => [number, name]));

/** `world` of `reserved:world`; undefined for what is no reserved identity. */
export function reservedName(identity: number): string | undefined {
  return NAMES.get(identity);
}
