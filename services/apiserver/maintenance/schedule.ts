/** Runs the housekeeping, each task by itself; one that fails (NATS is away) is tried again next time. */
import type { Clock, Timer } from '../../../shared/runtime/clock.ts';
import type { Logger } from '../../../shared/runtime/log.ts';

export interface Task {
  readonly name: string;
  readonly everyMs: number;
  run(nowMs: number): Promise<unknown>;
}

/** Returns what stops it. */
export function scheduleTasks(tasks: readonly Task[], clock: Clock, log: Logger): () => void {
  const timers = new Map<Task, Timer>();
  let stopped = false;
  const arm = (task: Task) => {
    if (!stopped)
      timers.set(
        task,
        clock.setTimer(task.everyMs, () => void runOnce(task)),
      );
  };
  const runOnce = async (task: Task) => {
    try {
      await task.run(clock.nowMs());
    } catch (error) {
      log.warn({ error, task: task.name }, 'housekeeping failed; it is tried again');
    }
    arm(task);
  };
  for (const task of tasks) arm(task);
  return () => {
    stopped = true;
    for (const timer of timers.values()) timer.cancel();
  };
}
