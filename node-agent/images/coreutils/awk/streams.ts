/** What an awk program reads and writes: its operands, files and commands by name, each open until `close`. */
import { FileError } from '../../files/file-error.ts';
import { type OpenFile, openPipe } from '../../open-file.ts';
import type { Process } from '../../process.ts';
import { chunks, write } from '../../program-io.ts';
import { runCommandLine, startCommandLine } from '../run-command.ts';
import type { Invocation } from '../utility.ts';

export interface InputRecord {
  readonly text: string;
  readonly file: string;
  /** The first of its file. */
  readonly isFirst: boolean;
}

interface Output {
  readonly file: OpenFile;
  readonly process: Process | undefined;
}

export class AwkStreams {
  private readonly run: Invocation;
  private readonly operands: string[];
  private readonly outputs = new Map<string, Output>();
  private readonly inputs = new Map<
    string,
    { readonly records: AsyncGenerator<string>; readonly process: Process | undefined }
  >();
  private current: AsyncGenerator<string> | undefined;
  private file = '';
  private isFirst = true;
  private readFile = false;
  private separator = '\n';

  constructor(run: Invocation, operands: readonly string[]) {
    this.run = run;
    this.operands = [...operands];
  }

  /** The next record of the operands (standard input without any); `name=value` operands assign when their turn comes. */
  async nextRecord(separator: string, assign: (name: string, value: string) => void): Promise<InputRecord | undefined> {
    this.separator = separator;
    for (;;) {
      if (this.current === undefined && !(await this.openNext(assign))) return undefined;
      const result = await this.current?.next();
      if (result !== undefined && !result.done) {
        const isFirst = this.isFirst;
        this.isFirst = false;
        return { text: result.value, file: this.file, isFirst };
      }
      this.current = undefined;
    }
  }

  async skipFile(): Promise<void> {
    this.current = undefined;
  }

  private async openNext(assign: (name: string, value: string) => void): Promise<boolean> {
    for (;;) {
      const operand = this.operands.shift();
      if (operand === undefined) {
        if (this.readFile) return false;
        return this.open('-', '');
      }
      const assignment = /^([A-Za-z_]\w*)=(.*)$/s.exec(operand);
      if (assignment !== null) assign(assignment[1] ?? '', assignment[2] ?? '');
      else if (await this.open(operand, operand)) return true;
    }
  }

  private async open(path: string, shown: string): Promise<boolean> {
    this.readFile = true;
    try {
      this.current = records(this.run.open(path), () => this.separator);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      await this.run.complain(`${path}: ${error.message}`, 2);
      return false;
    }
    this.file = shown;
    this.isFirst = true;
    return true;
  }

  print(text: string): Promise<void> {
    return this.run.print(text);
  }

  async printTo(operator: '>' | '>>' | '|', name: string, text: string): Promise<void> {
    let output = this.outputs.get(name);
    if (output === undefined) {
      output =
        operator === '|'
          ? await this.startCommand(name)
          : { file: this.run.openFile(name, operator === '>' ? 'write' : 'append'), process: undefined };
      this.outputs.set(name, output);
    }
    await write(output.file.writer(), text);
  }

  private async startCommand(command: string): Promise<Output> {
    const pipe = openPipe();
    const process = await startCommandLine(this.run, ['sh', '-c', command], { stdin: pipe.reading });
    pipe.reading.release();
    return { file: pipe.writing, process };
  }

  /** The next line of a file or a command; 0 at its end, -1 when it cannot be read. */
  async readFrom(kind: 'file' | 'command', name: string): Promise<string | number> {
    let input = this.inputs.get(name);
    if (input === undefined) {
      try {
        input =
          kind === 'file'
            ? { records: records(this.run.open(name), () => '\n'), process: undefined }
            : await this.readCommand(name);
      } catch (error) {
        if (error instanceof FileError) return -1;
        throw error;
      }
      this.inputs.set(name, input);
    }
    const result = await input.records.next();
    return result.done ? 0 : result.value;
  }

  private async readCommand(
    command: string,
  ): Promise<{ records: AsyncGenerator<string>; process: Process | undefined }> {
    const pipe = openPipe();
    const process = await startCommandLine(this.run, ['sh', '-c', command], { stdout: pipe.writing });
    pipe.writing.release();
    return { records: records(pipe.reading.reader(), () => '\n'), process };
  }

  system(command: string): Promise<number> {
    return runCommandLine(this.run, ['sh', '-c', command]);
  }

  async close(name: string): Promise<number> {
    const output = this.outputs.get(name);
    const input = this.inputs.get(name);
    this.outputs.delete(name);
    this.inputs.delete(name);
    output?.file.release();
    const process = output?.process ?? input?.process;
    if (process !== undefined) return (await process.exited).code;
    return output === undefined && input === undefined ? -1 : 0;
  }

  async closeAll(): Promise<void> {
    for (const name of [...this.outputs.keys()]) await this.close(name);
  }

  throwIfStopped(): void {
    this.run.context.signal.throwIfAborted();
  }
}

/** Cuts a stream into records: at a character, at an expression, or (empty separator) at blank lines. */
async function* records(stream: Parameters<typeof chunks>[0], separator: () => string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks(stream)) {
    rest += chunk.toString('utf8');
    for (;;) {
      const end = findSeparator(rest, separator());
      if (end === undefined) break;
      yield rest.slice(0, end.index);
      rest = rest.slice(end.index + end.length);
    }
  }
  const last = separator() === '' ? rest.replace(/\n+$/, '') : rest;
  if (last !== '') yield last;
}

function findSeparator(
  text: string,
  separator: string,
): { readonly index: number; readonly length: number } | undefined {
  if (separator.length === 1) {
    const index = text.indexOf(separator);
    return index < 0 ? undefined : { index, length: 1 };
  }
  const match = (separator === '' ? /\n\n+/ : new RegExp(separator)).exec(text);
  return match === null ? undefined : { index: match.index, length: match[0].length };
}
