/** `ip`, `ss`, `netstat`, `route`, `arp`, `ifconfig`, `bridge`, `conntrack`, `sysctl`: answered by the live stack of the pod's network namespace. */
import { type Utility, utility } from '../../coreutils/utility.ts';
import type { Program } from '../../image.ts';
import { pause, write } from '../../program-io.ts';

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

/** Between two looks of a command that follows (`ip monitor`, `conntrack -E`). */
const FOLLOW_MS = 100;

export const kernelCommand: Utility = async (run) => {
  const { signal, stderr, container } = run.context;
  const { kernel, processes } = container;
  if (kernel === undefined) {
    await run.complain('this container has no view of its kernel');
    return 1;
  }
  for (let words: readonly string[] = [run.name, ...run.args]; ; ) {
    const answer = kernel.run(words, processes);
    if (answer.stdout !== '') await run.print(answer.stdout);
    if (answer.stderr !== '') await write(stderr, answer.stderr);
    if (answer.next === undefined || signal.aborted) return answer.code;
    words = answer.next;
    await pause(FOLLOW_MS, signal);
  }
};

export function kernelProgram(name: string): Program {
  return utility(name, kernelCommand);
}
