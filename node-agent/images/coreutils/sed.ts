/** sed: edits lines as they come. */
import { byteLines } from '../program-io.ts';
import { parseOptions, UsageError } from './options.ts';
import { parseSedScript, type SedAddress, type SedCommand, type SedSubstitution } from './sed-script.ts';
import type { Invocation, Utility } from './utility.ts';

export const sed: Utility = async (run) => {
  const args = run.args.map((arg) => (/^-i.+/.test(arg) ? '-i' : arg));
  const options = parseOptions(args, {
    flags: 'nErsiuz',
    values: 'ef',
    long: {
      'expression=': 'e',
      'file=': 'f',
      quiet: 'n',
      silent: 'n',
      'regexp-extended': 'E',
      'in-place': 'i',
      'in-place=': 'i',
    },
  });
  const { files } = run.context.container;
  const sources = [...options.values('e'), ...options.values('f').map((path) => files.readText(run.resolve(path)))];
  const operands = [...options.operands];
  if (sources.length === 0) {
    const script = operands.shift();
    if (script === undefined) throw new UsageError('no script specified');
    sources.push(script);
  }
  const commands = parseSedScript(sources.join('\n'), options.has('E') || options.has('r'));
  if (!options.has('i')) {
    const editor = new Editor(run, commands, options.has('n'), (text) => run.print(text));
    return editor.edit(allLines(run, operands));
  }
  let code = 0;
  for (const path of operands) {
    let output = '';
    const editor = new Editor(run, commands, options.has('n'), async (text) => {
      output += text;
    });
    code = await editor.edit(allLines(run, [path]));
    if (run.status === 0) files.writeFile(run.resolve(path), output);
  }
  return code;
};

async function* allLines(run: Invocation, paths: readonly string[]): AsyncGenerator<string> {
  for await (const { stream } of run.inputs(paths))
    for await (const line of byteLines(stream)) yield line.toString('utf8');
}

class Quit extends Error {
  override readonly name = 'Quit';
}

class Editor {
  private readonly run: Invocation;
  private readonly commands: readonly SedCommand[];
  private readonly silent: boolean;
  private readonly output: (text: string) => Promise<void>;
  private readonly active = new Map<SedCommand, { from: number }>();
  private input!: AsyncGenerator<string>;
  private next: string | undefined;
  private pattern = '';
  private hold = '';
  private number = 0;
  private terminated = true;
  private substituted = false;
  private appended: string[] = [];
  private lastExpression: RegExp | undefined;
  private exitCode = 0;

  constructor(
    run: Invocation,
    commands: readonly SedCommand[],
    silent: boolean,
    output: (text: string) => Promise<void>,
  ) {
    this.run = run;
    this.commands = commands;
    this.silent = silent;
    this.output = output;
  }

  async edit(input: AsyncGenerator<string>): Promise<number> {
    this.input = input;
    this.next = await this.pull();
    try {
      let restart = false;
      while (restart || (await this.readLine())) {
        restart = await this.cycle();
      }
    } catch (error) {
      if (!(error instanceof Quit)) throw error;
    }
    return this.exitCode || this.run.status;
  }

  private async pull(): Promise<string | undefined> {
    const result = await this.input.next();
    return result.done ? undefined : result.value;
  }

  private async readLine(): Promise<boolean> {
    if (this.next === undefined) return false;
    this.terminated = this.next.endsWith('\n');
    this.pattern = this.terminated ? this.next.slice(0, -1) : this.next;
    this.number += 1;
    this.next = await this.pull();
    return true;
  }

  private async print(text = this.pattern): Promise<void> {
    await this.output(`${text}${this.terminated || this.next !== undefined ? '\n' : ''}`);
  }

  private async endCycle(): Promise<void> {
    if (!this.silent) await this.print();
    for (const text of this.appended.splice(0)) await this.output(text);
  }

  /** True: the next cycle starts without reading a line (`D`). */
  private async cycle(): Promise<boolean> {
    this.substituted = false;
    let index = 0;
    while (index < this.commands.length) {
      await this.run.checkpoint();
      const command = this.commands[index];
      if (command === undefined) break;
      index += 1;
      if (this.selected(command) === command.negated) {
        if (command.name === '{') index = command.target;
        continue;
      }
      const outcome = await this.execute(command);
      if (outcome === 'delete') {
        for (const text of this.appended.splice(0)) await this.output(text);
        return false;
      }
      if (outcome === 'restart') return true;
      if (typeof outcome === 'number') index = outcome;
    }
    await this.endCycle();
    return false;
  }

  private selected(command: SedCommand): boolean {
    const { from, to } = command;
    if (from === undefined) return true;
    if (to === undefined) return this.matches(from);
    const range = this.active.get(command);
    if (range === undefined) {
      if (!this.matches(from)) return false;
      const ends = (to.kind === 'line' && to.number <= this.number) || (to.kind === 'offset' && to.count === 0);
      if (!ends) this.active.set(command, { from: this.number });
      return true;
    }
    const done =
      to.kind === 'offset'
        ? this.number >= range.from + to.count
        : to.kind === 'line'
          ? this.number >= to.number
          : this.matches(to);
    if (done) this.active.delete(command);
    return to.kind !== 'line' || this.number <= to.number;
  }

  private matches(address: SedAddress): boolean {
    switch (address.kind) {
      case 'line':
        return this.number === address.number;
      case 'last':
        return this.next === undefined;
      case 'step':
        return address.step === 0
          ? this.number === address.first
          : this.number >= address.first && (this.number - address.first) % address.step === 0;
      case 'offset':
        return false;
      case 'match': {
        const expression = this.expression(address.expression);
        expression.lastIndex = 0;
        return expression.test(this.pattern);
      }
    }
  }

  private expression(expression: RegExp | undefined): RegExp {
    const used = expression ?? this.lastExpression;
    if (used === undefined) throw new UsageError('no previous regexp');
    this.lastExpression = used;
    return used;
  }

  private async execute(command: SedCommand): Promise<number | 'delete' | 'restart' | undefined> {
    switch (command.name) {
      case 's':
        if (command.substitution !== undefined) await this.substitute(command.substitution);
        return undefined;
      case 'y':
        this.pattern = [...this.pattern].map((letter) => command.translation?.get(letter) ?? letter).join('');
        return undefined;
      case 'p':
        await this.output(`${this.pattern}\n`);
        return undefined;
      case 'P':
        await this.output(`${this.pattern.split('\n', 1)[0]}\n`);
        return undefined;
      case 'd':
        return 'delete';
      case 'D': {
        const end = this.pattern.indexOf('\n');
        if (end < 0) return 'delete';
        this.pattern = this.pattern.slice(end + 1);
        return 'restart';
      }
      case 'a':
        this.appended.push(`${command.text}\n`);
        return undefined;
      case 'i':
        await this.output(`${command.text}\n`);
        return undefined;
      case 'c':
        if (command.to === undefined || !this.active.has(command)) await this.output(`${command.text}\n`);
        return 'delete';
      case 'r': {
        const path = this.run.resolve(command.text.trim());
        const { files } = this.run.context.container;
        if (files.exists(path)) this.appended.push(files.readText(path));
        return undefined;
      }
      case 'w':
        this.write(command.text.trim());
        return undefined;
      case 'n':
        if (this.next === undefined) {
          await this.endCycle();
          throw new Quit();
        }
        await this.endCycle();
        await this.readLine();
        return undefined;
      case 'N': {
        const held = this.pattern;
        if (!(await this.readLine())) {
          await this.endCycle();
          throw new Quit();
        }
        this.pattern = `${held}\n${this.pattern}`;
        return undefined;
      }
      case 'g':
        this.pattern = this.hold;
        return undefined;
      case 'G':
        this.pattern += `\n${this.hold}`;
        return undefined;
      case 'h':
        this.hold = this.pattern;
        return undefined;
      case 'H':
        this.hold += `\n${this.pattern}`;
        return undefined;
      case 'x':
        [this.pattern, this.hold] = [this.hold, this.pattern];
        return undefined;
      case 'z':
        this.pattern = '';
        return undefined;
      case '=':
        await this.output(`${this.number}\n`);
        return undefined;
      case 'l':
        await this.output(`${JSON.stringify(this.pattern).slice(1, -1).replaceAll('\\"', '"')}$\n`);
        return undefined;
      case 'b':
        return command.target;
      case 't':
      case 'T': {
        const jumps = this.substituted === (command.name === 't');
        this.substituted = false;
        return jumps ? command.target : undefined;
      }
      case 'q':
      case 'Q':
        this.exitCode = Number(command.text || 0);
        if (command.name === 'q') await this.endCycle();
        throw new Quit();
      default:
        return undefined;
    }
  }

  private async substitute(substitution: SedSubstitution): Promise<void> {
    const expression = this.expression(substitution.expression);
    let count = 0;
    let changed = false;
    this.pattern = this.pattern.replace(expression, (...found: unknown[]) => {
      const [whole = ''] = found;
      count += 1;
      if (count < substitution.occurrence || (!substitution.global && count > substitution.occurrence))
        return String(whole);
      changed = true;
      return replacementText(substitution.replacement, found);
    });
    if (!changed) return;
    this.substituted = true;
    if (substitution.print) await this.output(`${this.pattern}\n`);
    if (substitution.file !== undefined) this.write(substitution.file);
  }

  private write(path: string): void {
    const { files } = this.run.context.container;
    if (path === '/dev/stdout') this.run.context.stdout.write(`${this.pattern}\n`);
    else {
      const file = files.fileForWriting(this.run.resolve(path));
      file.write(file.sizeBytes, Buffer.from(`${this.pattern}\n`));
    }
  }
}

/** `&`, `\1`, `\n` and GNU's case conversions. */
function replacementText(replacement: string, groups: readonly unknown[]): string {
  let text = '';
  let convert: (part: string) => string = (part) => part;
  let once: ((part: string) => string) | undefined;
  const add = (part: string): void => {
    const converted = convert(part);
    text += once === undefined || converted === '' ? converted : once(converted.charAt(0)) + converted.slice(1);
    if (converted !== '') once = undefined;
  };
  for (let index = 0; index < replacement.length; index++) {
    const character = replacement.charAt(index);
    if (character === '&') add(String(groups[0] ?? ''));
    else if (character !== '\\') add(character);
    else {
      const next = replacement.charAt(++index);
      if (/\d/.test(next)) add(typeof groups[Number(next)] === 'string' ? String(groups[Number(next)]) : '');
      else if (next === 'n') add('\n');
      else if (next === 't') add('\t');
      else if (next === 'U') convert = (part) => part.toUpperCase();
      else if (next === 'L') convert = (part) => part.toLowerCase();
      else if (next === 'E') convert = (part) => part;
      else if (next === 'u') once = (part) => part.toUpperCase();
      else if (next === 'l') once = (part) => part.toLowerCase();
      else add(next);
    }
  }
  return text;
}
