/** All built-in commands by name. */
import type { Builtin } from './builtin.ts';
import {
  alias,
  breakLoop,
  builtin,
  cd,
  command,
  continueLoop,
  evaluate,
  exit,
  pwd,
  returnFromFunction,
  source,
  type,
  umask,
  unalias,
} from './control.ts';
import { echo, printf } from './echo.ts';
import { fg, jobs, kill, trap, wait } from './jobs.ts';
import { read } from './read.ts';
import { bracket, test } from './test.ts';
import {
  declare,
  exportVariables,
  getopts,
  letArithmetic,
  local,
  readonlyVariables,
  set,
  shift,
  unset,
} from './variables.ts';

const nothing: Builtin = async () => 0;

export const BUILTINS: Readonly<Record<string, Builtin>> = Object.assign(Object.create(null), {
  ':': nothing,
  '.': source,
  '[': bracket,
  alias,
  bg: nothing,
  break: breakLoop,
  builtin,
  cd,
  command,
  continue: continueLoop,
  declare,
  echo,
  eval: evaluate,
  exit,
  export: exportVariables,
  false: async () => 1,
  fg,
  getopts,
  hash: nothing,
  jobs,
  kill,
  let: letArithmetic,
  local,
  printf,
  pwd,
  read,
  readonly: readonlyVariables,
  return: returnFromFunction,
  set,
  shift,
  shopt: nothing,
  source,
  test,
  times: async (shell) => {
    await shell.write(1, '0m0.00s 0m0.00s\n0m0.00s 0m0.00s\n');
    return 0;
  },
  trap,
  true: nothing,
  type,
  typeset: declare,
  ulimit: async (shell) => {
    await shell.write(1, 'unlimited\n');
    return 0;
  },
  umask,
  unalias,
  unset,
  wait,
} satisfies Record<string, Builtin>);
