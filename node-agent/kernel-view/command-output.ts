/** What a command of the node's kernel printed, and how it ended. */
import type { PluginOutput } from '../cni/plugin.ts';
import type { KernelOutput } from '../images/image.ts';

export type CommandOutput = KernelOutput;

export function printed(stdout: string): CommandOutput {
  return { stdout, stderr: '', code: 0 };
}

export function printedJson(rows: unknown): CommandOutput {
  return printed(`${JSON.stringify(rows)}\n`);
}

export function failed(stderr: string, code = 1): CommandOutput {
  return { stdout: '', stderr: `${stderr}\n`, code };
}

/** `command`: the words before those that the plugin was given. */
export function pluginOutput(command: readonly string[], output: PluginOutput): CommandOutput {
  if (typeof output === 'string') return printed(output);
  return { ...printed(output.text), next: [...command, ...output.next] };
}
