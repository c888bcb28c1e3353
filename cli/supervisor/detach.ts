/** Starts the supervisor as a process of its own, shows its progress, and leaves it when the cluster is ready. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { nodeOptions } from '../../shared/runtime/entry-point.ts';
import type { ClusterFolder } from '../cluster-folder.ts';
import { UserError } from '../user-error.ts';
import { expectNotRunning } from './control-client.ts';
import { rotateLog } from './process-slot.ts';
import { programFile } from './program-file.ts';
import { decodeStartMessage, type StartReporter } from './start-report.ts';

/** The option by which the detached process knows that it is one. */
export const REPORT_TO_PARENT = '--report-to-parent';

/** `commandLine`: that of the `up` command. Resolves when the cluster is ready; throws a UserError when it cannot be. */
export async function startDetached(
  folder: ClusterFolder,
  commandLine: readonly string[],
  reporter: StartReporter,
  ownImages: readonly string[],
): Promise<void> {
  folder.prepare();
  // Before the log of the one that runs is moved away.
  await expectNotRunning(folder);
  const logFile = folder.logFile('supervisor');
  const program = await programFile('podwire', (text) => reporter.progress(text), ownImages);
  const args = [
    ...nodeOptions('podwire'),
    program,
    ...commandLine.filter((word) => word !== '--detach'),
    REPORT_TO_PARENT,
  ];
  rotateLog(logFile);
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log, 'ipc'] });
  closeSync(log);
  const giveUp = (): void => void child.kill('SIGTERM');
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, giveUp);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(new UserError(`the cluster did not start: see ${logFile}`)));
      child.on('message', (value: unknown) => {
        const message = decodeStartMessage(value);
        if (message?.type === 'progress') reporter.progress(message.text);
        else if (message?.type === 'warning') reporter.warning(message.text);
        else if (message?.type === 'failed') reject(new UserError(message.text));
        else if (message?.type === 'ready') {
          reporter.ready(message.started);
          resolve();
        }
      });
    });
  } finally {
    for (const signal of signals) process.off(signal, giveUp);
    if (child.connected) child.disconnect();
    child.unref();
  }
}
