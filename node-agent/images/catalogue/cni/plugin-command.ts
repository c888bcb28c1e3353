/** A tool of a network's daemon, run in its pod: the plugin of the pod's node answers. */
import type { Program } from '../../image.ts';
import { write } from '../../program-io.ts';

export interface PluginTool {
  /** As the plugin knows it. */
  readonly name: string;
  /** Options that say where the daemon is, by the number of words behind them. */
  readonly ignored?: Readonly<Record<string, number>>;
}

export function pluginCommand({ name, ignored = {} }: PluginTool): Program {
  return async ({ argv, container, stdout, stderr }) => {
    const words: string[] = [];
    for (let i = 1; i < argv.length; i++) {
      const behind = ignored[argv[i]!];
      if (behind === undefined) words.push(argv[i]!);
      else i += behind;
    }
    const reply = container.kernel?.run(['cni-command', name, ...words]);
    if (reply === undefined || reply.code === 127) {
      await write(stderr, `${name}: the pod is not on the network of its node: it needs hostNetwork: true\n`);
      return 1;
    }
    await write(stdout, reply.stdout);
    await write(stderr, reply.stderr);
    return reply.code;
  };
}
