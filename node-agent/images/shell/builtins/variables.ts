/** Variables and options: `export`, `readonly`, `local`, `unset`, `set`, `shift`, `getopts`, `env`-like listings. */
import { evaluateArithmeticText } from '../arithmetic.ts';
import { ShellError } from '../flow.ts';
import { OPTION_NAMES, type Shell, type ShellOption } from '../shell.ts';
import type { Builtin } from './builtin.ts';

export const exportVariables: Builtin = async (shell, args) => {
  const names = args.filter((arg) => arg !== '-p' && arg !== '--');
  if (names.length === 0) {
    for (const name of [...shell.variables.keys()].sort()) {
      const variable = shell.variables.get(name);
      if (variable?.exported)
        await shell.write(1, `export ${name}${variable.value === undefined ? '' : `=${quote(variable.value)}`}\n`);
    }
    return 0;
  }
  const unexport = names[0] === '-n';
  for (const word of unexport ? names.slice(1) : names) {
    const { name, value } = assignment(shell, word);
    requireName(name, 'export');
    if (unexport) {
      const old = shell.variables.get(name);
      if (old !== undefined) shell.variables.set(name, { ...old, exported: false });
    } else shell.export(name, value ?? shell.get(name));
  }
  return 0;
};

export const readonlyVariables: Builtin = async (shell, args) => {
  for (const word of args.filter((arg) => arg !== '-p')) {
    const { name, value } = assignment(shell, word);
    requireName(name, 'readonly');
    if (value !== undefined) shell.set(name, value);
    const old = shell.variables.get(name);
    shell.variables.set(name, { value: old?.value, exported: old?.exported ?? false, readonly: true });
  }
  return 0;
};

export const local: Builtin = async (shell, args) => {
  const scope = shell.localScopes.at(-1);
  if (scope === undefined) throw new ShellError('local: not in a function');
  for (const word of args.filter((arg) => !arg.startsWith('-'))) {
    const { name, value } = assignment(shell, word);
    requireName(name, 'local');
    if (!scope.has(name)) scope.set(name, shell.variables.get(name));
    if (value !== undefined) shell.set(name, value);
    else if (!shell.variables.has(name))
      shell.variables.set(name, { value: undefined, exported: false, readonly: false });
  }
  return 0;
};

/** Bash's `declare`: local inside a function. */
export const declare: Builtin = async (shell, args) => {
  if (args.includes('-x'))
    return exportVariables(
      shell,
      args.filter((arg) => arg !== '-x'),
    );
  if (args.includes('-r'))
    return readonlyVariables(
      shell,
      args.filter((arg) => arg !== '-r'),
    );
  if (shell.localScopes.length > 0) return local(shell, args);
  for (const word of args.filter((arg) => !arg.startsWith('-'))) {
    const { name, value } = assignment(shell, word);
    if (value !== undefined) shell.set(name, value);
  }
  return 0;
};

export const unset: Builtin = async (shell, args) => {
  const functions = args[0] === '-f';
  for (const name of args.filter((arg) => arg !== '-f' && arg !== '-v')) {
    if (functions) shell.functions.delete(name);
    else if (shell.variables.has(name)) shell.unset(name);
    else shell.functions.delete(name);
  }
  return 0;
};

export const set: Builtin = async (shell, args) => {
  if (args.length === 0) {
    for (const name of [...shell.variables.keys()].sort())
      await shell.write(1, `${name}=${quote(shell.get(name) ?? '')}\n`);
    return 0;
  }
  const rest = applyOptions(shell, args);
  if (rest.message !== undefined) throw new ShellError(`set: ${rest.message}`);
  if (rest.list)
    for (const [, option] of Object.entries(OPTION_NAMES))
      await shell.write(1, `${option.padEnd(16)}${shell.options.has(option) ? 'on' : 'off'}\n`);
  if (rest.positional !== undefined) shell.positional = rest.positional;
  return 0;
};

export interface AppliedOptions {
  /** Words after the options; undefined when there were none and no `--`. */
  readonly positional: readonly string[] | undefined;
  readonly message?: string;
  readonly list?: boolean;
}

/** Applies `-eux -o pipefail +x --` to the shell. */
export function applyOptions(shell: Shell, args: readonly string[]): AppliedOptions {
  let index = 0;
  for (; index < args.length; index++) {
    const word = args[index] ?? '';
    if (word === '--') return { positional: args.slice(index + 1) };
    if (word === '-') return { positional: args.slice(index + 1) };
    if (!/^[-+]./.test(word)) break;
    const on = word.startsWith('-');
    for (const letter of word.slice(1)) {
      if (letter === 'o') {
        const name = args[++index];
        if (name === undefined) return { positional: undefined, list: true };
        const option = optionNamed(name);
        if (option === undefined) return { positional: undefined, message: `illegal option -o ${name}` };
        toggle(shell, option, on);
        continue;
      }
      const option = new Map<string, ShellOption>(Object.entries(OPTION_NAMES)).get(letter);
      if (option !== undefined) toggle(shell, option, on);
      else if (!'bhilsBHPTE'.includes(letter)) return { positional: undefined, message: `illegal option -${letter}` };
    }
  }
  return { positional: index < args.length ? args.slice(index) : undefined };
}

function optionNamed(name: string): ShellOption | undefined {
  if (name === 'pipefail') return name;
  return Object.values(OPTION_NAMES).find((option) => option === name);
}

function toggle(shell: Shell, option: ShellOption, on: boolean): void {
  if (on) shell.options.add(option);
  else shell.options.delete(option);
}

export const shift: Builtin = async (shell, args) => {
  const count = Number(args[0] ?? 1);
  if (!Number.isInteger(count) || count < 0) throw new ShellError(`shift: Illegal number: ${args[0]}`);
  if (count > shell.positional.length) return 1;
  shell.positional = shell.positional.slice(count);
  return 0;
};

export const letArithmetic: Builtin = async (shell, args) => {
  let value = 0n;
  for (const arg of args) value = await evaluateArithmeticText(shell, arg);
  return value === 0n ? 1 : 0;
};

export const getopts: Builtin = async (shell, args) => {
  const [spec = '', name = '', ...given] = args;
  const words = given.length > 0 ? given : shell.positional;
  const quiet = spec.startsWith(':');
  let index = Number(shell.get('OPTIND') ?? '1') || 1;
  const word = words[index - 1];
  if (word === undefined || !/^-./.test(word) || word === '--') {
    if (word === '--') shell.set('OPTIND', String(index + 1));
    shell.set(name, '?');
    return 1;
  }
  const offset = shell.optionOffset;
  const letter = word.charAt(offset);
  const place = spec.replace(/^:/, '').indexOf(letter);
  const takesValue = place >= 0 && spec.replace(/^:/, '').charAt(place + 1) === ':';
  let value: string | undefined;
  let next = offset + 1;
  if (takesValue && place >= 0) {
    value = next < word.length ? word.slice(next) : words[index];
    if (next >= word.length) index += 1;
    next = word.length;
  }
  const advanced = next >= word.length;
  shell.set('OPTIND', String(advanced ? index + 1 : index));
  shell.optionOffset = advanced ? 1 : next;
  if (letter === ':' || place < 0) {
    shell.set(name, '?');
    if (quiet) shell.set('OPTARG', letter);
    else await shell.complain(`illegal option -${letter}`);
  } else if (takesValue && value === undefined) {
    shell.set(name, quiet ? ':' : '?');
    if (quiet) shell.set('OPTARG', letter);
    else await shell.complain(`no arg for -${letter} option`);
  } else {
    shell.set(name, letter);
    if (value === undefined) shell.unset('OPTARG');
    else shell.set('OPTARG', value);
  }
  return 0;
};

function assignment(shell: Shell, word: string): { readonly name: string; readonly value: string | undefined } {
  const match = /^([^=]*?)(\+?)=(.*)$/s.exec(word);
  if (match === null) return { name: word, value: undefined };
  const [, name = '', append, value = ''] = match;
  return { name, value: append === '+' ? (shell.get(name) ?? '') + value : value };
}

function requireName(name: string, command: string): void {
  if (!/^[A-Za-z_]\w*$/.test(name)) throw new ShellError(`${command}: ${name}: bad variable name`);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
