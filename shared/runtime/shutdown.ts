import type { Logger } from './log.ts';

export type StopFunction = () => void | Promise<void>;

interface StopStep {
  readonly name: string;
  readonly stop: StopFunction;
}

/** What a process has to undo when it stops: steps run in reverse order of registration, each within a time limit. */
export class Shutdown {
  private readonly controller = new AbortController();
  private readonly steps: StopStep[] = [];
  private readonly log: Logger;
  private readonly stepTimeoutMs: number;
  private finished: Promise<void> | undefined;

  constructor(log: Logger, stepTimeoutMs = 3000) {
    this.log = log;
    this.stepTimeoutMs = stepTimeoutMs;
  }

  /** Aborted when the stop begins. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Registers a step; `name` appears in the log when it fails or hangs. */
  onStop(name: string, stop: StopFunction): void {
    this.steps.push({ name, stop });
  }

  /** Runs all steps once; later calls wait for the same end. A failing or hanging step does not hold up the others. */
  stop(): Promise<void> {
    this.finished ??= this.runSteps();
    return this.finished;
  }

  private async runSteps(): Promise<void> {
    this.controller.abort();
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      try {
        await withinTime(step, this.stepTimeoutMs);
      } catch (error) {
        this.log.warn({ error, step: step.name }, 'a stop step failed');
      }
    }
  }
}

async function withinTime(step: StopStep, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${step.name} did not stop within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([step.stop(), late]);
  } finally {
    clearTimeout(timer);
  }
}
