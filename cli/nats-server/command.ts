import { spawn } from 'node:child_process';

export interface CommandOutcome {
  readonly ok: boolean;
  /** The last lines of what it wrote; the reason when it could not be started. */
  readonly output: string;
}

const KEPT_OUTPUT_BYTES = 4000;

/** Runs a program to its end; never rejects. */
export function runCommand(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<CommandOutcome> {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (text: string): void => {
      output = (output + text).slice(-KEPT_OUTPUT_BYTES);
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.once('error', (error) => resolve({ ok: false, output: error.message }));
    child.once('close', (code) => resolve({ ok: code === 0, output: output.trim() }));
  });
}

/** The last line that says something. */
export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
