/** Short programs of the machine: `ip`, `sysctl`. */
import { execFile } from 'node:child_process';

/** A program failed or is not there; the message has its own words. */
export class HostProgramError extends Error {
  override readonly name = 'HostProgramError';
}

/** Standard output. Rejects with HostProgramError. */
export function runHostProgram(program: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, [...args], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else {
        const words = stderr.trim() === '' ? error.message : stderr.trim();
        reject(new HostProgramError(`${program} ${args.join(' ')}: ${words}`, { cause: error }));
      }
    });
    // A program that ended early has said why.
    child.stdin?.on('error', (error) => child.stdin?.destroy(error));
    child.stdin?.end(input ?? '');
  });
}
