/**
 * `podwire capture`, the node's end: frames wait in the bounded queue of their capture until the client takes them, and are
 * counted when they find no room there. A copy for an observer may go over the bus; the packets themselves never do.
 */
import { badRequest } from '../../shared/api/status.ts';
import type { ChannelStream } from '../../shared/bus/stream.ts';
import { type CaptureStreamRequest, STREAM_CHANNEL } from '../../shared/bus/subjects.ts';
import type { NetDevice } from '../../shared/netstack/device.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { formatIpv4, parseIpv4 } from '../../shared/wire/address.ts';
import { compileFilter, type PacketFilter } from '../../shared/wire/pcap-filter/compile.ts';
import { FilterError } from '../../shared/wire/pcap-filter/filter-error.ts';
import type { Capture, CapturePlace } from '../datapath/capture/capture.ts';
import type { CapturedFrame } from '../datapath/capture/capture-queue.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import { CaptureEncoder } from './capture-encoder.ts';
import { exitStatus, sendStatus } from './command-status.ts';

export interface CaptureSource {
  readonly datapath: NodeDatapath;
  readonly clock: Clock;
  /** From the time of captured frames to the wall clock. */
  readonly wallClockNs: () => (monotonicUs: number) => bigint;
}

/** Frames are sent together up to this size. */
const BATCH_BYTES = 64 * 1024;
/** How long the first of them waits for others. */
const GATHER_MS = 20;

/** Throws ApiError BadRequest for a filter, pod or device that is none. */
export function serveCapture(source: CaptureSource, request: CaptureStreamRequest, stream: ChannelStream): void {
  const { datapath } = source;
  const places = placesOf(datapath, request);
  requireDevice(datapath, places, request.device);
  const capture = datapath.captures.start({
    places,
    device: request.device,
    filter: filterOf(request.filter),
    snapBytes: request.snapBytes,
    comments: true,
    drops: { inPlaces: request.drops, addresses: addressesOf(request.dropsOf) },
  });
  const encoder = new CaptureEncoder({
    snapBytes: request.snapBytes,
    toWallClockNs: source.wallClockNs(),
    podOf: (device) => podBehind(datapath, device),
  });
  void new CaptureSender(source, capture, encoder, stream).run(places);
}

class CaptureSender {
  private readonly source: CaptureSource;
  private readonly capture: Capture;
  private readonly encoder: CaptureEncoder;
  private readonly stream: ChannelStream;
  private stopped = false;
  private isAsked = false;
  private wake: (() => void) | undefined;

  constructor(source: CaptureSource, capture: Capture, encoder: CaptureEncoder, stream: ChannelStream) {
    this.source = source;
    this.capture = capture;
    this.encoder = encoder;
    this.stream = stream;
    capture.queue.onFrames = () => this.wake?.();
    // Whatever it is: how far the capture is.
    stream.onData(() => this.answer());
    stream.onEnd(() => this.stop());
    void stream.closed.then(() => this.stop());
  }

  async run(places: readonly CapturePlace[]): Promise<void> {
    try {
      const interfaces = places.flatMap((place) => this.wantedDevices(place).map((device) => ({ place, device })));
      const known = interfaces.flatMap(({ place, device }) => this.encoder.describe(place, device));
      await this.send([this.encoder.header(), ...known]);
      while (await this.sendBatch());
      await this.sendCounters();
      await sendStatus(this.stream, exitStatus(0));
    } catch (error) {
      this.stream.close(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.capture.stop();
    }
  }

  /** False when all is sent and no more will come. */
  private async sendBatch(): Promise<boolean> {
    const frames = this.capture.queue.take(BATCH_BYTES);
    if (frames.length > 0) {
      await this.sendFrames(frames);
      return true;
    }
    if (this.stopped) return false;
    if (this.isAsked) {
      this.isAsked = false;
      await this.sendCounters();
      return true;
    }
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    this.wake = undefined;
    if (!this.stopped && !this.isAsked) await this.source.clock.sleep(GATHER_MS);
    return true;
  }

  /** The packets themselves have as much of the processor's time as their copies; what finds no room meanwhile is counted. */
  private async sendFrames(frames: readonly CapturedFrame[]): Promise<void> {
    const { clock } = this.source;
    const beganMs = clock.monotonicMs();
    const sent = this.send(frames.flatMap((frame) => this.encoder.encode(frame)));
    const tookMs = clock.monotonicMs() - beganMs;
    await sent;
    if (!this.stopped && this.capture.queue.bytes > BATCH_BYTES) await clock.sleep(tookMs);
  }

  /** With the time until which all frames have been sent. */
  private sendCounters(): Promise<void> {
    return this.send(this.encoder.statistics(this.capture, this.source.datapath.captures.nowUs));
  }

  private async send(blocks: readonly Uint8Array[]): Promise<void> {
    await this.stream.send(STREAM_CHANNEL.stdout, Buffer.concat(blocks));
  }

  private wantedDevices({ host }: CapturePlace): NetDevice[] {
    return this.source.datapath.devicesOf(host).filter((device) => this.capture.wants(device));
  }

  private answer(): void {
    this.isAsked = true;
    this.wake?.();
  }

  private stop(): void {
    this.stopped = true;
    this.capture.stop();
    this.wake?.();
  }
}

function placesOf(datapath: NodeDatapath, request: CaptureStreamRequest): CapturePlace[] {
  const node = request.node ? [{ host: datapath.root, name: datapath.nodeName }] : [];
  const pods = request.pods.map((id) => {
    const pod = datapath.pods.get(id);
    if (pod === undefined) {
      throw badRequest(`pod ${id} has no network of its own on ${datapath.nodeName}: capture on the node (--node)`);
    }
    return { host: pod.host, name: id };
  });
  return [...node, ...pods];
}

function requireDevice(datapath: NodeDatapath, places: readonly CapturePlace[], device: string | undefined): void {
  if (device === undefined || places.length === 0) return;
  const names = new Set(places.flatMap(({ host }) => datapath.devicesOf(host).map(({ name }) => name)));
  if (names.has(device)) return;
  throw badRequest(`there is no device '${device}' on ${places[0]!.name}: it has ${[...names].join(', ')}`);
}

function filterOf(text: string): PacketFilter {
  try {
    return compileFilter(text);
  } catch (error) {
    if (error instanceof FilterError) throw badRequest(error.message);
    throw error;
  }
}

function addressesOf(texts: readonly string[]): Set<number> {
  const addresses = texts.map((text) => {
    const address = parseIpv4(text);
    if (address === undefined) throw badRequest(`${text} is no IPv4 address`);
    return address;
  });
  return new Set(addresses);
}

function podBehind(datapath: NodeDatapath, device: NetDevice): string | undefined {
  for (const pod of datapath.pods.values()) {
    if (pod.hostDevice === device) return `${pod.id} ${formatIpv4(pod.address)}`;
  }
  return undefined;
}
