import type { Engine } from './engine.ts';

/** A call that waits for the end of the turn, so that it is made once for all that happens in it. */
export class TurnEndCall {
  private readonly engine: Engine;
  private readonly flush: () => void;
  private requested = false;

  constructor(engine: Engine, run: () => void) {
    this.engine = engine;
    this.flush = () => {
      this.requested = false;
      run();
    };
  }

  request(): void {
    if (this.requested) return;
    this.requested = true;
    this.engine.onTurnEnd(this.flush);
  }
}
