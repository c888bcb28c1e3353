/** Starts the processes of a cluster, keeps the control plane running, and ends everything it started. */
import type { Clock } from '../../shared/runtime/clock.ts';
import { UserError } from '../user-error.ts';
import type { NodeAction } from './control-protocol.ts';
import { ProcessSlot, type ProcessSpec, type ProcessStatus, rotateLog } from './process-slot.ts';

export interface SupervisorListener {
  /** Called on every change of a process' state. */
  changed(status: ProcessStatus): void;
}

/** Who ends before whom: nodes and controllers write their last words through the apiserver, and that one to NATS. */
const STOP_ORDER = ['others', 'apiserver', 'nats-server'] as const;
const STOP_LIMIT_MS = 4000;

export class Supervisor {
  private readonly slots = new Map<string, ProcessSlot>();
  private readonly nodeNames: ReadonlySet<string>;
  private stopping: Promise<void> | undefined;

  constructor(specs: readonly ProcessSpec[], clock: Clock, listener: SupervisorListener) {
    this.nodeNames = new Set(specs.filter((spec) => spec.whenItEnds === 'stay-dead').map((spec) => spec.name));
    for (const spec of specs) {
      this.slots.set(spec.name, new ProcessSlot(spec, clock, (slot) => listener.changed(slot.status)));
    }
  }

  get processes(): ProcessStatus[] {
    return [...this.slots.values()].map((slot) => slot.status);
  }

  /** Starts all at once; components wait for what they need. Names given before are not started twice. */
  start(names: Iterable<string> = this.slots.keys()): void {
    for (const name of names) {
      const slot = this.slots.get(name);
      if (slot === undefined || slot.status.state !== 'stopped') continue;
      rotateLog(slot.spec.logFile);
      slot.start();
    }
  }

  /** Throws a UserError for a node that is not there or is in that state already. */
  async actOnNode(action: NodeAction, name: string): Promise<void> {
    const slot = this.slots.get(name);
    if (slot === undefined || !this.nodeNames.has(name)) {
      throw new UserError(`there is no node '${name}': the nodes are ${[...this.nodeNames].join(', ')}`);
    }
    const runs = slot.status.pid !== undefined;
    if (action === 'start') {
      if (runs) throw new UserError(`node ${name} is running already`);
      slot.start();
      return;
    }
    if (!runs) throw new UserError(`node ${name} is not running`);
    if (action === 'kill') await slot.kill();
    else await slot.stop(STOP_LIMIT_MS);
  }

  /** Resolves when every process is gone. */
  stop(): Promise<void> {
    this.stopping ??= this.stopInOrder();
    return this.stopping;
  }

  /** Ends every process at once, without its last words. */
  async killAll(): Promise<void> {
    await Promise.all([...this.slots.values()].map((slot) => slot.stop(0)));
  }

  private async stopInOrder(): Promise<void> {
    for (const group of STOP_ORDER) {
      const members = [...this.slots.values()].filter(({ spec }) => stopGroup(spec.name) === group);
      await Promise.all(members.map((slot) => slot.stop(STOP_LIMIT_MS)));
    }
  }
}

function stopGroup(name: string): (typeof STOP_ORDER)[number] {
  if (name === 'nats-server') return name;
  return /^apiserver(-\d+)?$/.test(name) ? 'apiserver' : 'others';
}
