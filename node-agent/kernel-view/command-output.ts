/** What a command of the node's kernel printed, and how it ended. */
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
