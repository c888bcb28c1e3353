/** `test` and `[` (POSIX, with `-a`, `-o`, parentheses and the usual file tests). */

import type { FileStat } from '../../files/container-files.ts';
import { FileError } from '../../files/file-error.ts';
import type { Shell } from '../shell.ts';
import type { Builtin } from './builtin.ts';

class TestSyntaxError extends Error {
  override readonly name = 'TestSyntaxError';
}

export const test: Builtin = (shell, args) => run(shell, 'test', args);

export const bracket: Builtin = async (shell, args) => {
  if (args.at(-1) === ']') return run(shell, '[', args.slice(0, -1));
  await shell.complain('[: missing ]');
  return 2;
};

async function run(shell: Shell, name: string, args: readonly string[]): Promise<number> {
  try {
    return new TestParser(shell, args).evaluate() ? 0 : 1;
  } catch (error) {
    if (!(error instanceof TestSyntaxError)) throw error;
    await shell.complain(`${name}: ${error.message}`);
    return 2;
  }
}

const UNARY = new Set('bcdefghkLnoprsStuwxzGNO'.split('').map((letter) => `-${letter}`));
const BINARY = new Set(['=', '==', '!=', '<', '>', '-eq', '-ne', '-lt', '-le', '-gt', '-ge', '-nt', '-ot', '-ef']);

/** The number of arguments decides first (POSIX), then operators by precedence. */
class TestParser {
  private readonly shell: Shell;
  private readonly args: readonly string[];
  private index = 0;

  constructor(shell: Shell, args: readonly string[]) {
    this.shell = shell;
    this.args = args;
  }

  evaluate(): boolean {
    const [first = '', second = '', third = ''] = this.args;
    switch (this.args.length) {
      case 0:
        return false;
      case 1:
        return first !== '';
      case 2:
        if (first === '!') return second === '';
        if (UNARY.has(first)) return testUnary(this.shell, first, second);
        throw new TestSyntaxError(`${first}: unknown operand`);
      case 3:
        if (BINARY.has(second)) return testBinary(this.shell, first, second, third);
        break;
      case 4:
        if (first === '!' && BINARY.has(third)) return !testBinary(this.shell, second, third, this.args[3] ?? '');
        break;
      default:
    }
    const value = this.or();
    if (this.index < this.args.length) throw new TestSyntaxError(`${this.args[this.index]}: unknown operand`);
    return value;
  }

  private or(): boolean {
    let value = this.and();
    while (this.take('-o')) value = this.and() || value;
    return value;
  }

  private and(): boolean {
    let value = this.not();
    while (this.take('-a')) value = this.not() && value;
    return value;
  }

  private not(): boolean {
    return this.take('!') ? !this.not() : this.primary();
  }

  private primary(): boolean {
    const word = this.args[this.index];
    if (word === undefined) throw new TestSyntaxError('argument expected');
    const operator = this.args[this.index + 1];
    const right = this.args[this.index + 2];
    if (operator !== undefined && BINARY.has(operator) && right !== undefined) {
      this.index += 3;
      return testBinary(this.shell, word, operator, right);
    }
    if (word === '(') {
      this.index += 1;
      const value = this.or();
      if (!this.take(')')) throw new TestSyntaxError('closing paren expected');
      return value;
    }
    if (UNARY.has(word) && operator !== undefined) {
      this.index += 2;
      return testUnary(this.shell, word, operator);
    }
    this.index += 1;
    return word !== '';
  }

  private take(word: string): boolean {
    if (this.args[this.index] !== word) return false;
    this.index += 1;
    return true;
  }
}

export function testUnary(shell: Shell, operator: string, operand: string): boolean {
  switch (operator) {
    case '-z':
      return operand === '';
    case '-n':
      return operand !== '';
    case '-t':
      return shell.descriptors.get(Number(operand))?.isTerminal ?? false;
    case '-o':
      return [...shell.options].some((option) => option === operand);
    case '-v':
      return shell.variables.has(operand);
    case '-h':
    case '-L':
      return statOf(shell, operand, false)?.kind === 'symlink';
    default:
      return testFile(operator, statOf(shell, operand, true));
  }
}

function testFile(operator: string, stat: FileStat | undefined): boolean {
  if (stat === undefined) return false;
  switch (operator) {
    case '-f':
      return stat.kind === 'file';
    case '-d':
      return stat.kind === 'directory';
    case '-c':
      return stat.kind === 'device';
    case '-s':
      return stat.sizeBytes > 0;
    case '-x':
      return stat.kind === 'directory' || (stat.mode & 0o111) !== 0;
    case '-b':
    case '-p':
    case '-S':
    case '-u':
    case '-g':
    case '-k':
      return false;
    default:
      // -e -r -w -G -O -N: everybody is root here.
      return true;
  }
}

function statOf(shell: Shell, path: string, follow: boolean): FileStat | undefined {
  if (path === '') return undefined;
  try {
    return follow ? shell.container.files.stat(shell.resolve(path)) : shell.container.files.lstat(shell.resolve(path));
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
}

export function testBinary(shell: Shell, left: string, operator: string, right: string): boolean {
  switch (operator) {
    case '=':
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '>':
      return left > right;
    case '-nt':
    case '-ot':
    case '-ef': {
      const [a, b] = [statOf(shell, left, true), statOf(shell, right, true)];
      if (operator === '-ef') return a !== undefined && a.inode === b?.inode;
      const [newer, older] = operator === '-nt' ? [a, b] : [b, a];
      return newer !== undefined && (older === undefined || newer.modifiedAtMs > older.modifiedAtMs);
    }
    default: {
      const [a, b] = [integer(left), integer(right)];
      switch (operator) {
        case '-eq':
          return a === b;
        case '-ne':
          return a !== b;
        case '-lt':
          return a < b;
        case '-le':
          return a <= b;
        case '-gt':
          return a > b;
        case '-ge':
          return a >= b;
        default:
          throw new TestSyntaxError(`${operator}: unknown operand`);
      }
    }
  }
}

function integer(text: string): bigint {
  const trimmed = text.trim();
  if (!/^[-+]?\d+$/.test(trimmed)) throw new TestSyntaxError(`${text}: bad number`);
  return BigInt(trimmed.replace(/^\+/, ''));
}
