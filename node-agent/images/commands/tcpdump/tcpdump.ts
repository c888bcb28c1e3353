/** tcpdump: packets of the pod's or node's devices, or of a file, as text or into a file. */
import * as ethernet from '../../../../shared/wire/ethernet.ts';
import { compileFilter, type PacketFilter } from '../../../../shared/wire/pcap-filter/compile.ts';
import { FilterError } from '../../../../shared/wire/pcap-filter/filter-error.ts';
import { CaptureFormatError } from '../../../../shared/wire/pcapng-reader.ts';
import { UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import type { PacketSocket, PacketSockets } from '../../image.ts';
import { write } from '../../program-io.ts';
import { FrameText } from './frame-text.ts';
import { FrameWriter } from './frame-writer.ts';
import { parseTcpdump, type TcpdumpOptions, USAGE_TEXT, VERSION_TEXT } from './options.ts';
import { type DumpedFrame, liveFrames, openFileFrames } from './packet-source.ts';

const ANY = 'any';

export const tcpdump: Utility = async (run) => {
  if (run.args.includes('--version') || run.args.includes('-h') || run.args.includes('--help')) {
    await run.print(run.args.includes('--version') ? VERSION_TEXT : USAGE_TEXT);
    return 0;
  }
  let options: TcpdumpOptions;
  try {
    options = parseTcpdump(run.args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    await run.complain(error.message);
    if (error.message.startsWith('unrecognized')) await write(run.context.stderr, USAGE_TEXT);
    return 1;
  }
  try {
    return await new Tcpdump(run, options, compileFilter(options.filter)).run();
  } catch (error) {
    if (!(error instanceof FilterError) && !(error instanceof CaptureFormatError)) throw error;
    await run.complain(
      error instanceof FilterError ? `can't parse filter expression: ${error.message}` : error.message,
    );
    return 1;
  }
};

class Tcpdump {
  private readonly invocation: Invocation;
  private readonly options: TcpdumpOptions;
  private readonly filter: PacketFilter;
  private readonly packets: PacketSockets | undefined;
  private shown = 0;

  constructor(invocation: Invocation, options: TcpdumpOptions, filter: PacketFilter) {
    this.invocation = invocation;
    this.options = options;
    this.filter = filter;
    this.packets = invocation.context.container.kernel?.packets;
  }

  async run(): Promise<number> {
    if (this.options.listDevices) return this.listDevices();
    return this.options.readFile === undefined ? this.runLive() : this.runFile(this.options.readFile);
  }

  private async listDevices(): Promise<number> {
    const names = (this.packets?.devices() ?? []).map(({ name }) => name);
    const [loopback, others] = [names.filter((name) => name === 'lo'), names.filter((name) => name !== 'lo')];
    const lines = [
      ...others.map((name) => `${name} [Up, Running, Connected]`),
      'any (Pseudo-device that captures on all interfaces) [Up, Running]',
      ...loopback.map((name) => `${name} [Up, Running, Loopback]`),
    ];
    await this.invocation.print(lines.map((line, index) => `${index + 1}.${line}\n`).join(''));
    return 0;
  }

  private async runFile(path: string): Promise<number> {
    const byIndex = new Map(this.packets?.devices().map(({ index, name }) => [index, name]));
    const stream = this.invocation.open(path);
    const { description, frames } = await openFileFrames(stream, (index) => byIndex.get(index) ?? '?');
    await this.tell(`reading from file ${path}, ${description}\n`);
    await this.show(frames);
    return 0;
  }

  private async runLive(): Promise<number> {
    const { snapBytes, device: wanted } = this.options;
    const names = (this.packets?.devices() ?? []).map(({ name }) => name);
    const device = wanted ?? names.find((name) => name !== 'lo') ?? ANY;
    if (device !== ANY && !names.includes(device)) {
      await this.invocation.complain(`${device}: No such device exists\n(No such device exists)`);
      return 1;
    }
    const socket = this.packets?.open({ device: device === ANY ? undefined : device, filter: this.filter, snapBytes });
    if (socket === undefined) {
      await this.invocation.complain('this container has no view of its kernel');
      return 1;
    }
    // Before anything is waited for: an interrupt while the beginning is told ends with the counters too.
    const { process, signal } = this.invocation.context;
    const stop = (): void => socket.close();
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.onSignal(name, stop);
    signal.addEventListener('abort', stop, { once: true });
    try {
      await this.tellBeginning(device);
      await this.show(liveFrames(socket, device === ANY), device === ANY);
      await this.tellCounters(socket);
    } finally {
      signal.removeEventListener('abort', stop);
      socket.close();
    }
    return 0;
  }

  /** Until the source or the count ends. */
  private async show(source: AsyncGenerator<DumpedFrame[]>, cooked = false): Promise<void> {
    const { writeFile, snapBytes, count } = this.options;
    const sink =
      writeFile === undefined ? new FrameText(this.options) : new FrameWriter(this.invocation, writeFile, snapBytes);
    await sink.begin(this.invocation, cooked);
    for await (const batch of source) {
      const frames = batch.filter((frame) => this.isWanted(frame)).slice(0, count - this.shown);
      this.shown += frames.length;
      if (frames.length > 0) await sink.write(this.invocation, frames);
      if (this.shown >= count) break;
    }
    await sink.end();
  }

  /** A live frame passed the filter in the kernel already; a second look costs little. */
  private isWanted({ bytes, wireBytes, outbound }: DumpedFrame): boolean {
    const { direction } = this.options;
    if (direction !== 'inout' && (direction === 'out') !== outbound) return false;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (!ethernet.check(view, 0, bytes.length)) return false;
    return this.filter(view, 0, bytes.length, wireBytes, outbound);
  }

  private async tellBeginning(device: string): Promise<void> {
    const { writeFile, print, snapBytes } = this.options;
    const link = device === ANY ? 'LINUX_SLL2 (Linux cooked v2)' : 'EN10MB (Ethernet)';
    const listening = `listening on ${device}, link-type ${link}, snapshot length ${snapBytes} bytes\n`;
    if (device === ANY) await this.tell('tcpdump: data link type LINUX_SLL2\n');
    const quietly = writeFile === undefined && print.verbosity === 0;
    const hint = 'tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n';
    await this.tell(quietly ? `${hint}${listening}` : `tcpdump: ${listening}`);
  }

  private async tellCounters(socket: PacketSocket): Promise<void> {
    const { received, dropped } = socket.counters();
    const line = (count: number, what: string): string => `${count} packet${count === 1 ? '' : 's'} ${what}\n`;
    const text = [
      line(this.shown, 'captured'),
      line(received, 'received by filter'),
      line(dropped, 'dropped by kernel'),
    ];
    await this.tell(text.join(''));
  }

  private tell(text: string): Promise<void> {
    return write(this.invocation.context.stderr, text);
  }
}
