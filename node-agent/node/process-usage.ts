/** What processes of the machine use, with their children (proc_pid_stat(5), proc_pid_statm(5)); Linux. */
import { readFileSync } from 'node:fs';
import type { ProcessUsage } from './usage-meter.ts';

/** User and system time are counted in hundredths of a second on every Linux. */
const TICK_US = 10_000;
const PAGE_BYTES = 4096;

/** Undefined when none of the processes is there, or the machine does not tell. */
export function usageOfProcesses(pids: readonly number[]): ProcessUsage | undefined {
  const usages = pids.flatMap(withChildren).flatMap((pid) => usageOf(pid) ?? []);
  if (usages.length === 0) return undefined;
  return {
    cpuUs: usages.reduce((sum, { cpuUs }) => sum + cpuUs, 0),
    memoryBytes: usages.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
  };
}

export function usageOfThisProcess(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, memoryBytes: process.memoryUsage.rss() };
}

function usageOf(pid: number): ProcessUsage | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  const statm = textOf(`/proc/${pid}/statm`);
  if (stat === undefined || statm === undefined) return undefined;
  // What follows the program's name, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Fields 14 to 17: its own time, and that of children that have ended.
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  return { cpuUs: ticks * TICK_US, memoryBytes: Number(statm.split(' ')[1]) * PAGE_BYTES };
}

function withChildren(pid: number): number[] {
  const children = (textOf(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').filter((word) => word !== '');
  return [pid, ...children.flatMap((child) => withChildren(Number(child)))];
}

/** Undefined for a process that has ended. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
