/** `trap`: actions for signals, run between commands, and for the shell's end. */
import { parseSignal, type SignalName } from '../process.ts';
import { runStatements } from './evaluator.ts';
import { ExitFlow } from './flow.ts';
import type { Shell } from './shell.ts';
import { parseScript } from './syntax.ts';

/** Sets (`undefined` resets) the action of EXIT or of a signal given without SIG. */
export function setTrap(shell: Shell, condition: string, action: string | undefined): void {
  if (action === undefined) shell.traps.delete(condition);
  else shell.traps.set(condition, action);
  const signal = condition === 'EXIT' ? undefined : parseSignal(condition);
  if (signal === undefined) return;
  if (action === undefined) shell.process.onSignal(signal, 'default');
  else shell.process.onSignal(signal, action === '' ? 'ignore' : (name) => shell.noteSignal(name));
}

export async function runPendingTraps(shell: Shell): Promise<void> {
  for (let signal = shell.pendingSignals.shift(); signal !== undefined; signal = shell.pendingSignals.shift()) {
    const action = shell.traps.get(conditionOf(signal));
    if (action === undefined || action === '') continue;
    const status = shell.lastStatus;
    await runStatements(shell, parseScript(action).commands);
    shell.lastStatus = status;
  }
}

/** Runs the EXIT trap once; returns the status to exit with. */
export async function runExitTrap(shell: Shell, status: number): Promise<number> {
  const action = shell.traps.get('EXIT');
  if (action === undefined || action === '') return status;
  shell.traps.delete('EXIT');
  shell.lastStatus = status;
  try {
    await runStatements(shell, parseScript(action).commands);
  } catch (flow) {
    if (flow instanceof ExitFlow) return flow.status;
    throw flow;
  }
  return status;
}

export function conditionOf(signal: SignalName): string {
  return signal.slice('SIG'.length);
}
