/** What the tools of netfilter say where the kernel does not let them look: in a container without CAP_NET_ADMIN. */
import { type CommandOutput, failed } from './command-output.ts';

const NO_GENERATION = 'Could not fetch rule set generation id: Permission denied (you must be root)';
const IPTABLES = ['iptables', 'ip6tables', 'iptables-save', 'ip6tables-save'] as const;

export const DENIED: Readonly<Record<string, () => CommandOutput>> = {
  conntrack: () =>
    failed(
      'conntrack v1.4.8 (conntrack-tools): Operation failed: sorry, you must be root or get CAP_NET_ADMIN capability to do this',
    ),
  nft: () =>
    failed(
      'Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted',
    ),
  ipvsadm: () =>
    failed(
      "Can't initialize ipvs: Permission denied (you must be root)\nAre you sure that IP Virtual Server is built in the kernel or as module?",
      255,
    ),
  ipset: () => failed('ipset v7.17: Kernel error received: Operation not permitted'),
  ...Object.fromEntries(
    IPTABLES.map((name) => [name, () => failed(`${name} v1.8.9 (nf_tables): ${NO_GENERATION}`, 4)]),
  ),
};
