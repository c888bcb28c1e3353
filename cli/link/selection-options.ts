import { type Command, Option } from 'commander';
import { DIRECTIONS } from './link-selection.ts';

export function addSelectionOptions(command: Command): Command {
  return command
    .argument('[nodes...]', 'the two ends: worker-1 worker-2; several as worker-1,worker-2; * or all')
    .option('--pod <namespace/pod>', "the pod's cable")
    .option('--node <node>', 'with --device')
    .option('--device <device>', 'eth0, a tunnel (flannel.1, tunl0, ...) or a veth of the node')
    .addOption(
      new Option('--direction <direction>', 'to: from the first end to the second, to the pod, out of the device')
        .choices(DIRECTIONS)
        .default('both'),
    );
}
