/**
 * A pseudo-terminal pair: the program has the one end as its terminal, this process reads and writes the other.
 * Linux (`ptmx`, ioctl_tty(2)).
 */
import { closeSync, constants, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { loadNativeLibrary, NativeCallError } from '../../shared/native/native-library.ts';

const TIOCGPTN = 0x8004_5430;
const TIOCSPTLCK = 0x4004_5431;
const TIOCSWINSZ = 0x5414;

export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

export class PseudoTerminal {
  /** Both directions of the master; ends when the last program has closed the terminal. */
  readonly stream: ReadStream;
  /** The program's end: its stdin, stdout and stderr. `closeProgramEnd` once it has them. */
  readonly programEnd: number;
  private readonly setWindow: (size: Uint8Array) => void;

  private constructor(master: number, programEnd: number, setWindow: (size: Uint8Array) => void) {
    this.programEnd = programEnd;
    this.setWindow = setWindow;
    this.stream = new ReadStream(master, { writable: true });
    // What reading gives when no program has the terminal any more.
    this.stream.on('error', () => this.stream.destroy());
  }

  /** Of that size from the beginning: a program may ask for it first of all. Rejects where there are none. */
  static async open(size: WindowSize): Promise<PseudoTerminal> {
    const library = await loadNativeLibrary();
    const ioctl = library.declare('int ioctl(int, unsigned long, void *)');
    const master = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY);
    try {
      const number = new Int32Array(1);
      const unlocked = library.outcome(ioctl(master, TIOCSPTLCK, new Int32Array([0])));
      if (unlocked < 0) throw new NativeCallError('TIOCSPTLCK', unlocked);
      const numbered = library.outcome(ioctl(master, TIOCGPTN, number));
      if (numbered < 0) throw new NativeCallError('TIOCGPTN', numbered);
      const programEnd = openSync(`/dev/pts/${number[0]}`, constants.O_RDWR | constants.O_NOCTTY);
      const terminal = new PseudoTerminal(master, programEnd, (window) => {
        ioctl(master, TIOCSWINSZ, window);
      });
      terminal.resize(size);
      return terminal;
    } catch (error) {
      closeSync(master);
      throw error;
    }
  }

  resize({ columns, rows }: WindowSize): void {
    if (this.stream.destroyed) return;
    const size = new DataView(new ArrayBuffer(8));
    size.setUint16(0, rows, true);
    size.setUint16(2, columns, true);
    this.setWindow(new Uint8Array(size.buffer));
  }

  closeProgramEnd(): void {
    closeSync(this.programEnd);
  }
}
