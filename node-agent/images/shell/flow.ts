/** How a running script leaves what it is in: thrown, and caught by the construct that it is meant for. */

export class BreakFlow {
  readonly levels: number;

  constructor(levels: number) {
    this.levels = levels;
  }
}

export class ContinueFlow {
  readonly levels: number;

  constructor(levels: number) {
    this.levels = levels;
  }
}

export class ReturnFlow {
  readonly status: number;

  constructor(status: number) {
    this.status = status;
  }
}

export class ExitFlow {
  readonly status: number;

  constructor(status: number) {
    this.status = status;
  }
}

/** The shell's process was ended by a signal. */
export class KilledFlow {
  readonly kind = 'killed';
}

/** The shell's process became another program (`exec`, or the last command of a subshell). */
export class ReplacedFlow {
  readonly kind = 'replaced';
}

/** Ctrl-C in an interactive shell: back to the prompt. */
export class InterruptFlow {
  readonly kind = 'interrupt';
}

/** An error that ends a non-interactive shell (POSIX 2.8.1): in an expansion, a special built-in, the syntax. */
export class ShellError {
  readonly message: string;
  readonly status: number;

  constructor(message: string, status = 2) {
    this.message = message;
    this.status = status;
  }
}
