import type { Shell } from '../shell.ts';

/** A command that runs inside the shell; `args` without its name. Returns the exit status. */
export type Builtin = (shell: Shell, args: readonly string[]) => Promise<number>;
