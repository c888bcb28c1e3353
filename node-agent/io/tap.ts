/**
 * A TAP device joined to one end of an emulated cable: what arrives there leaves through the kernel's device, and the other
 * way round. The kernel reads frames from packet memory and writes them into it; nothing is copied here.
 *
 *   bridge ~ veth ~ [device] -> input -> write(2) -> TAP (in some network namespace)
 *                   [device] <- transmit <- read(2) <-
 *
 * Queues: the kernel's own towards us (`txqueuelen`, its drops are in `ip -s link`); none the other way, as the kernel takes a
 * frame within the call or refuses it.
 * https://docs.kernel.org/networking/tuntap.html
 */
import { closeSync, constants, openSync } from 'node:fs';
import { loadNativeLibrary, NativeCallError, type NativeLibrary } from '../../shared/native/native-library.ts';
import { type DeviceCounters, type FrameUpcall, type NetDevice, zeroCounters } from '../../shared/netstack/device.ts';
import { cutSuperSegment, SegmentCutter } from '../../shared/netstack/super-segment.ts';
import { completeChecksums } from '../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { EventLoop } from './event-loop.ts';

export interface TapOptions {
  readonly memory: PacketMemory;
  readonly loop: EventLoop;
  /** The end of the cable. */
  readonly device: NetDevice;
}

const TUN_DEVICE = '/dev/net/tun';
const TUNSETIFF = 0x4004_54ca;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
/** `struct ifreq`: 16 bytes of name, then the flags. */
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;
/** The kernel puts the first free number in its place. */
const NAME_PATTERN = 'pwtap%d';
/** Between two turns timers and other descriptors have theirs. */
const FRAMES_A_TURN = 64;
const VLAN_TAG_BYTES = 4;
const SCRATCH_BYTES = 1;

export class Tap implements FrameUpcall {
  /** In the namespace where it was made; it may be moved and renamed. */
  readonly name: string;
  /** As the kernel's device sees them: `rx` is what it was given. */
  readonly counters: DeviceCounters = zeroCounters();
  private readonly options: TapOptions;
  private readonly descriptor: number;
  private readonly memoryStart: number;
  private readonly scratch = new Uint8Array(SCRATCH_BYTES);
  private readonly scratchStart: number;
  private readonly frameBytes: number;
  private readonly readFrame: (address: number, size: number) => number;
  private readonly writeFrame: (address: number, size: number) => number;
  private readonly stopPolling: () => void;
  private readonly cutter: SegmentCutter;
  private closed = false;

  /** Plugs itself in: from here on the device's frames are the kernel's. */
  private constructor(options: TapOptions, library: NativeLibrary, descriptor: number, name: string) {
    const { memory, device } = options;
    this.options = options;
    this.cutter = new SegmentCutter(memory);
    this.descriptor = descriptor;
    this.name = name;
    this.memoryStart = library.addressOf(memory.bytes);
    this.scratchStart = library.addressOf(this.scratch);
    this.frameBytes = device.mtuBytes + ethernet.HEADER_BYTES + VLAN_TAG_BYTES;
    const read = library.declare('intptr_t read(int, uintptr_t, size_t)');
    const write = library.declare('intptr_t write(int, uintptr_t, size_t)');
    this.readFrame = (address, size) => read(descriptor, address, size);
    this.writeFrame = (address, size) => write(descriptor, address, size);
    device.upcall = this;
    this.stopPolling = library.poll(descriptor, () => this.readable());
  }

  /** Makes a TAP device in this process' network namespace. Rejects, saying why, where none can be had. */
  static async open(options: TapOptions): Promise<Tap> {
    const library = await loadNativeLibrary();
    const ioctl = library.declare('int ioctl(int, unsigned long, void *)');
    const descriptor = openSync(TUN_DEVICE, constants.O_RDWR | constants.O_NONBLOCK);
    const request = new Uint8Array(IFREQ_BYTES);
    request.set(new TextEncoder().encode(NAME_PATTERN));
    new DataView(request.buffer).setUint16(IFNAMSIZ, IFF_TAP | IFF_NO_PI, true);
    const failed = library.outcome(ioctl(descriptor, TUNSETIFF, request));
    if (failed < 0) {
      closeSync(descriptor);
      throw new NativeCallError(`${TUN_DEVICE}: TUNSETIFF`, failed);
    }
    const name = new TextDecoder().decode(request.subarray(0, request.indexOf(0)));
    return new Tap(options, library, descriptor, name);
  }

  /** A frame that came over the cable. Takes ownership. */
  input(_device: NetDevice, frame: Packet): void {
    if (frame.segmentBytes === 0) {
      this.write(frame);
      return;
    }
    const network = frame.offset + ethernet.HEADER_BYTES;
    this.counters.rxDropped += cutSuperSegment(this.cutter, this.options.memory, frame, network, (segment) =>
      this.write(segment),
    );
  }

  private write(frame: Packet): void {
    const { memory } = this.options;
    const { counters } = this;
    completeChecksums(memory, frame);
    const written = this.closed ? -1 : this.writeFrame(this.memoryStart + frame.offset, frame.length);
    if (written === frame.length) {
      counters.rxPackets++;
      counters.rxBytes += written;
    } else {
      counters.rxDropped++;
    }
    memory.free(frame);
  }

  /** The kernel's device goes with it, wherever it was moved to. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.options.device.upcall === this) this.options.device.upcall = null;
    this.stopPolling();
    closeSync(this.descriptor);
  }

  /** Called by libuv, which cannot take an error: one is raised where uncaught ones are seen. */
  private readable(): void {
    if (this.closed) return;
    const { loop } = this.options;
    loop.enter();
    try {
      for (let frames = 0; frames < FRAMES_A_TURN && !this.closed; frames++) {
        if (!this.take()) break;
      }
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    } finally {
      loop.leave();
    }
  }

  /** False when there is no frame. Without packet memory one is read all the same, and lost. */
  private take(): boolean {
    const { memory, device } = this.options;
    const frame = memory.allocate(this.frameBytes);
    if (frame === undefined) return this.lose();
    const length = this.readFrame(this.memoryStart + frame.offset, this.frameBytes);
    if (length <= 0) {
      memory.free(frame);
      return false;
    }
    frame.length = length;
    this.counters.txPackets++;
    this.counters.txBytes += length;
    device.transmit(frame);
    return true;
  }

  /** Reading a part of a frame takes all of it from the queue. */
  private lose(): boolean {
    if (this.readFrame(this.scratchStart, SCRATCH_BYTES) <= 0) return false;
    this.counters.txDropped++;
    return true;
  }
}
