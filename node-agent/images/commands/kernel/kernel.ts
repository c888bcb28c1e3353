/** `ip`, `ss`, `netstat`, `route`, `arp`, `ifconfig`, `bridge`, `conntrack`, `sysctl`: answered by the live stack of the pod's network namespace. */
import type { Utility } from '../../coreutils/utility.ts';
import { write } from '../../program-io.ts';

export const KERNEL_COMMANDS = [
  'ip',
  'ss',
  'netstat',
  'route',
  'arp',
  'ifconfig',
  'nstat',
  'ethtool',
  'tc',
  'bridge',
  'conntrack',
  'iptables',
  'iptables-save',
  'ip6tables',
  'ip6tables-save',
  'nft',
  'ipvsadm',
  'ipset',
  'cilium-dbg',
  'sysctl',
] as const;

export const kernelCommand: Utility = async (run) => {
  const { kernel } = run.context.container;
  if (kernel === undefined) {
    await run.complain('this container has no view of its kernel');
    return 1;
  }
  const answer = kernel.run([run.name, ...run.args], run.context.container.processes);
  if (answer.stdout !== '') await run.print(answer.stdout);
  if (answer.stderr !== '') await write(run.context.stderr, answer.stderr);
  return answer.code;
};
