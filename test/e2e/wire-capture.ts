/** What is on the loopback device, kept by tshark. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { waitFor } from '../wait-for.ts';
import { run } from './run-command.ts';

/** Why this machine cannot capture; undefined when it can. */
export async function captureLacks(): Promise<string | undefined> {
  if ((await run('tshark', ['--version'])).code !== 0) return 'tshark is not on PATH';
  return process.getuid?.() === 0 ? undefined : 'only root may capture';
}

/** Captures until what it resolves to is called; resolves once tshark listens. */
export async function captureLoopback(filter: string, file: string): Promise<() => Promise<void>> {
  const child = spawn('tshark', ['-i', 'lo', '-f', filter, '-w', file, '-q'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const exited = once(child, 'exit');
  await waitFor('tshark to capture', () => said.includes('Capture started'));
  return async () => {
    child.kill('SIGINT');
    await exited;
  };
}
