/**
 * The terminal of a `kubectl exec -it`: the client's is raw, so the line discipline is here, as a kernel's tty has it
 * (echo, erase, Ctrl-C, Ctrl-D, line feed to carriage return and line feed). A line editor switches it to raw.
 */
import { Readable, Writable } from 'node:stream';
import type { ProcessTable, SignalName } from './process.ts';

export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  onResize(changed: () => void): void;
}

export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  /** Bytes for the client's screen. */
  readonly screen: Writable;
  readonly processes: ProcessTable;
}

const CONTROL_C = 3;
const CONTROL_D = 4;
const BACKSPACE = 8;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const CONTROL_U = 21;
const CONTROL_W = 23;
const CONTROL_BACKSLASH = 28;
const DELETE = 127;

export class TerminalSession implements Terminal {
  columns: number;
  rows: number;
  /** No echo, no line buffering, no signals: bytes reach the reader as typed. */
  raw = false;
  /** The process group that Ctrl-C reaches. */
  foregroundGroup = 0;
  /** What programs write to. */
  readonly output: Writable;
  private readonly screen: Writable;
  private readonly processes: ProcessTable;
  private readonly watchers: (() => void)[] = [];
  private stream: Readable = newInput();
  private line: number[] = [];
  private hungUp = false;

  constructor(options: TerminalOptions) {
    this.columns = options.columns ?? 80;
    this.rows = options.rows ?? 24;
    this.screen = options.screen;
    this.processes = options.processes;
    this.output = new Writable({
      decodeStrings: true,
      write: (chunk: Buffer, _encoding, done) => {
        if (this.screen.destroyed || this.screen.writableEnded) done();
        else if (this.screen.write(carriageReturns(chunk))) done();
        else this.screen.once('drain', () => done());
      },
    });
  }

  onResize(changed: () => void): void {
    this.watchers.push(changed);
  }

  resize(columns: number, rows: number): void {
    this.columns = columns;
    this.rows = rows;
    for (const changed of this.watchers) changed();
    this.processes.signalGroup(this.foregroundGroup, 'SIGWINCH');
  }

  /** What programs read from; after an end of file (Ctrl-D) the next reader gets a new stream. */
  input(): Readable {
    if ((this.stream.readableEnded || this.stream.destroyed) && !this.hungUp) this.stream = newInput();
    return this.stream;
  }

  /** Bytes that the client typed. */
  feed(bytes: Uint8Array): void {
    if (this.raw) {
      this.input().push(Buffer.from(bytes));
      return;
    }
    for (const byte of bytes) this.type(byte);
  }

  /** The client is gone. */
  hangUp(): void {
    this.hungUp = true;
    if (!this.stream.readableEnded) this.stream.push(null);
    this.processes.signalGroup(this.foregroundGroup, 'SIGHUP');
  }

  private type(byte: number): void {
    switch (byte) {
      case CONTROL_C:
        this.interrupt('^C', 'SIGINT');
        return;
      case CONTROL_BACKSLASH:
        this.interrupt('^\\', 'SIGQUIT');
        return;
      case CONTROL_D:
        this.endOfFile();
        return;
      case BACKSPACE:
      case DELETE:
        this.erase(1);
        return;
      case CONTROL_U:
        this.erase(this.line.length);
        return;
      case CONTROL_W:
        this.erase(wordLength(this.line));
        return;
      case CARRIAGE_RETURN:
      case LINE_FEED:
        this.line.push(LINE_FEED);
        this.echo('\r\n');
        this.pushLine();
        return;
      default:
        this.line.push(byte);
        this.screen.write(byte < 32 && byte !== 9 ? `^${String.fromCharCode(byte + 64)}` : Buffer.from([byte]));
    }
  }

  private interrupt(shown: string, signal: SignalName): void {
    this.line = [];
    this.echo(shown);
    this.processes.signalGroup(this.foregroundGroup, signal);
  }

  private endOfFile(): void {
    if (this.line.length > 0) this.pushLine();
    else this.input().push(null);
  }

  private pushLine(): void {
    this.input().push(Buffer.from(this.line));
    this.line = [];
  }

  private erase(count: number): void {
    for (let erased = 0; erased < count && this.line.length > 0; erased++) {
      let byte = this.line.pop();
      // A UTF-8 character goes as a whole.
      while (byte !== undefined && (byte & 0xc0) === 0x80) byte = this.line.pop();
      this.echo('\b \b');
    }
  }

  private echo(text: string): void {
    this.screen.write(text);
  }
}

function newInput(): Readable {
  // What is typed ahead waits here; the client is a person.
  return new Readable({
    read() {
      // Bytes are pushed as they are typed.
    },
  });
}

function wordLength(line: readonly number[]): number {
  let end = line.length;
  while (end > 0 && line[end - 1] === 32) end -= 1;
  while (end > 0 && line[end - 1] !== 32) end -= 1;
  return line.length - end;
}

function carriageReturns(chunk: Buffer): Buffer {
  if (!chunk.includes(LINE_FEED)) return chunk;
  return Buffer.from(chunk.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
}
