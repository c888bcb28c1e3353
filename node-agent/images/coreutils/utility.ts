/** What small programs share: the frame round them that words errors, and access to files by relative path. */
import type { Readable } from 'node:stream';
import { fairTurn } from '../fair-turn.ts';
import { resolvePath } from '../files/container-files.ts';
import { FileError } from '../files/file-error.ts';
import type { Program, ProgramContext } from '../image.ts';
import { type OpenFile, type OpenMode, openPath, writerFile } from '../open-file.ts';
import { write } from '../program-io.ts';
import { UsageError } from './options.ts';

/** A program run with what it needs most; returns the exit code (nothing is 0). */
export type Utility = (run: Invocation) => Promise<number | undefined> | Promise<void>;

export class Invocation {
  private readonly opened: OpenFile[] = [];
  readonly context: ProgramContext;
  readonly name: string;
  readonly args: readonly string[];
  /** Becomes 1 (or more) with the first complaint. */
  status = 0;

  constructor(context: ProgramContext, name: string) {
    this.context = context;
    this.name = name;
    this.args = context.argv.slice(1);
  }

  async print(text: string | Uint8Array): Promise<void> {
    this.context.signal.throwIfAborted();
    await write(this.context.stdout, text);
  }

  /** `name: message` on standard error; the program will exit with 1. */
  async complain(message: string, status = 1): Promise<void> {
    this.status = Math.max(this.status, status);
    await write(this.context.stderr, `${this.name}: ${message}\n`);
  }

  resolve(path: string): string {
    return resolvePath(this.context.cwd, path);
  }

  /** A file to read; `-` is standard input. Throws `FileError`. */
  open(path: string): Readable {
    if (path === '-') return this.context.stdin;
    const file = this.openFile(path, 'read');
    if (this.opened.length === 0) {
      const releaseAll = (): void => {
        for (const one of this.opened) one.release();
      };
      // Aborted when the process is gone, however that came.
      this.context.signal.addEventListener('abort', releaseAll, { once: true });
    }
    this.opened.push(file);
    return file.reader();
  }

  /** For loops that may go on without reading or writing. Throws when the process was ended. */
  async checkpoint(): Promise<void> {
    await fairTurn();
    this.context.signal.throwIfAborted();
  }

  /** Opens a file as open(2); the caller releases it. Throws `FileError`. */
  openFile(path: string, mode: OpenMode): OpenFile {
    const { container, standardFiles } = this.context;
    return openPath(container.files, this.resolve(path), mode, (device) => {
      switch (device) {
        case 'stdin':
        case 'stdout':
        case 'stderr':
          return standardFiles[device];
        case 'tty':
          return [standardFiles.stdin, standardFiles.stdout].find((file) => file.isTerminal);
        default:
          return writerFile(container.logWriter(device === 'log-stderr' ? 'stderr' : 'stdout'));
      }
    });
  }

  /** Each input in turn, standard input without any; one that cannot be opened is complained about and skipped. */
  async *inputs(paths: readonly string[]): AsyncGenerator<{ readonly path: string; readonly stream: Readable }> {
    for (const path of paths.length === 0 ? ['-'] : paths) {
      let stream: Readable;
      try {
        stream = this.open(path);
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        await this.complain(`${path}: ${error.message}`);
        continue;
      }
      yield { path, stream };
    }
  }

  /** Runs an action on a path; a `FileError` becomes `name: path: sentence`. */
  async attempt(path: string, action: () => void | Promise<void>, prefix = ''): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      await this.complain(`${prefix}${prefix === '' ? path : `'${path}'`}: ${error.message}`);
      return false;
    }
  }
}

/** Frames a utility as a program: usage errors exit with `usageStatus`. */
export function utility(name: string, run: Utility, usageStatus = 1): Program {
  return async (context) => {
    const invocation = new Invocation(context, name);
    try {
      return (await run(invocation)) ?? invocation.status;
    } catch (error) {
      if (error instanceof UsageError) {
        await invocation.complain(error.message);
        return usageStatus;
      }
      if (error instanceof FileError) {
        await invocation.complain(`${error.path}: ${error.message}`);
        return 1;
      }
      throw error;
    }
  };
}
