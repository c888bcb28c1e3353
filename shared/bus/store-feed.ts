/**
 * Follows the store: first its present state, then every change, in the order of revisions and without a gap.
 *
 * It is an ordered push consumer without acknowledgement: the server numbers what it sends, and whenever a number is
 * missing, the heartbeat stays away, or the connection comes back, a new consumer starts after the last revision seen. Only
 * when the store was replaced, or forgot deletions since that revision, everything is told anew (`reset`).
 */
import { AckPolicy, type ConsumerConfig, createInbox, DeliverPolicy, type Msg, nanos, nuid } from 'nats';
import { decodeMessage } from './codec.ts';
import type { Bus, BusSubscription } from './connection.ts';
import { decodeEntry, keyOfSubject, OPERATION_DELETE, OPERATION_HEADER, type StoreEntry } from './store-entry.ts';
import { compactionSubject, type ObjectKey, streamName } from './store-layout.ts';
import { readStoreStream, type StoreStream, waitForStoreStream } from './store-stream.ts';

export interface StoreFeedHandler {
  /** A put or a deletion. Until `synced` deletions are those of objects that are long gone. */
  entry(entry: StoreEntry): void;
  /** What was told so far is the whole state at `revision`; only changes follow. */
  synced(revision: number): void;
  /** All that was told so far is void: a full state follows, ended by `synced`. */
  reset(): void;
  /** In place of `entry`: what does not contain the text of `mentions`. */
  skipped?(key: ObjectKey): void;
}

export interface StoreFeedOptions {
  /** A subject filter (`resourceFilter`, `storeFilter`). */
  readonly filter: string;
  /** 0 tells the present state first; else only what came after this revision. */
  readonly fromRevision?: number;
  /** With `fromRevision` 0: earlier states too, as far as the store still has them. */
  readonly withHistory?: boolean;
  /** Only what contains this text is decoded. */
  readonly mentions?: string;
  readonly handler: StoreFeedHandler;
}

/** Of consumers in a NATS cluster: the server that has one may end while the one that we are connected to lives on. */
const HEARTBEAT_MS = 5000;
/**
 * With one server a consumer ends with the connection, or is deleted, which is told. So this is for what nobody thought of; a
 * process has up to a dozen consumers, and their heartbeats were a fifth of what an idle cluster did.
 */
const SINGLE_SERVER_HEARTBEAT_MS = 30_000;
/** A consumer that misses so many heartbeats is gone. */
const SILENT_HEARTBEATS = 2.4;
/** The server drops a consumer that nobody listens to. */
const INACTIVE_THRESHOLD_MS = 30_000;
const RETRY_MS = 200;
/** A state that takes longer to be told is compared with the store. */
const SYNC_CHECK_MS = 20;

export class StoreFeed {
  private readonly bus: Bus;
  private readonly filter: string;
  private readonly mentions: Buffer | undefined;
  private readonly handler: StoreFeedHandler;
  private readonly stateSubscription: BusSubscription;
  private readonly withHistory: boolean;
  private lastRevision: number;
  private knownStream: string | undefined;
  private isSynced = false;
  private stopped = false;
  /** Counts consumers; what belongs to an older one is ignored. */
  private attempt = 0;
  private subscription: BusSubscription | undefined;
  /** Tells when somebody deleted the consumer. */
  private deletion: BusSubscription | undefined;
  private heartbeatMs = HEARTBEAT_MS;
  private nextDelivery = 1;
  /** What was told is the whole state once this revision has been. */
  private syncTarget = Number.POSITIVE_INFINITY;
  private retryTimer: NodeJS.Timeout | undefined;
  private silenceTimer: NodeJS.Timeout | undefined;
  private syncTimer: NodeJS.Timeout | undefined;

  constructor(bus: Bus, options: StoreFeedOptions) {
    this.bus = bus;
    this.filter = options.filter;
    this.mentions = options.mentions === undefined ? undefined : Buffer.from(options.mentions);
    this.handler = options.handler;
    this.lastRevision = options.fromRevision ?? 0;
    this.withHistory = options.withHistory ?? false;
    this.stateSubscription = bus.onStateChange((state) => {
      if (state === 'connected') this.restart(0);
    });
    this.restart(0);
  }

  /** The last revision that was told. */
  get revision(): number {
    return this.lastRevision;
  }

  stop(): void {
    this.stopped = true;
    this.stateSubscription.unsubscribe();
    this.dropConsumer();
  }

  private dropConsumer(): void {
    this.attempt++;
    clearTimeout(this.retryTimer);
    clearTimeout(this.silenceTimer);
    clearTimeout(this.syncTimer);
    this.subscription?.unsubscribe();
    this.subscription = undefined;
    this.deletion?.unsubscribe();
    this.deletion = undefined;
  }

  private restart(delayMs: number): void {
    this.dropConsumer();
    if (this.stopped) return;
    const attempt = this.attempt;
    const open = (): void => {
      this.openConsumer(attempt).catch((error: unknown) => {
        if (attempt !== this.attempt || this.bus.nats.isClosed()) return;
        this.bus.log.debug({ error, filter: this.filter }, 'the store cannot be followed; trying again');
        this.restart(RETRY_MS);
      });
    };
    if (delayMs === 0) open();
    else this.retryTimer = setTimeout(open, delayMs);
  }

  private async openConsumer(attempt: number): Promise<void> {
    const stream = this.lastRevision === 0 ? await waitForStoreStream(this.bus) : await this.lookAgain();
    if (attempt !== this.attempt) return;
    const mustRelist = this.lastRevision > 0 && (await this.hasMissedChanges(stream));
    if (attempt !== this.attempt) return;
    if (mustRelist) this.forget();
    this.knownStream = stream.created;
    this.heartbeatMs = stream.replicas > 1 ? HEARTBEAT_MS : SINGLE_SERVER_HEARTBEAT_MS;

    const inbox = createInbox();
    this.nextDelivery = 1;
    this.syncTarget = Number.POSITIVE_INFINITY;
    this.subscription = this.bus.nats.subscribe(inbox, {
      callback: (error, message) => {
        if (attempt !== this.attempt) return;
        if (error !== null) this.restart(RETRY_MS);
        else this.receive(message);
      },
    });
    this.watchSilence();
    // Named here, so that whoever deletes it, however soon, is heard of.
    const name = nuid.next();
    this.watchDeletion(name, attempt);
    const config = { ...this.consumerConfig(inbox), name };
    const consumer = await this.bus.whileConnected(() =>
      this.bus.jetStreamManager.consumers.add(streamName(this.bus.cluster), config),
    );
    if (attempt !== this.attempt) return;
    if (consumer.num_pending === 0 && this.nextDelivery === 1) this.markSynced(stream);
    else if (!this.isSynced) this.checkSyncLater(attempt);
  }

  private watchDeletion(consumer: string, attempt: number): void {
    const advisory = `$JS.EVENT.ADVISORY.CONSUMER.DELETED.${streamName(this.bus.cluster)}.${consumer}`;
    this.deletion = this.bus.nats.subscribe(advisory, {
      callback: () => {
        if (attempt === this.attempt) this.restart(RETRY_MS);
      },
    });
  }

  /**
   * A server's count of what is pending stays above zero for good when an object was replaced between the consumer's
   * creation and its delivery (seen with 2.9): then the store's last revision tells what the state ends with.
   */
  private checkSyncLater(attempt: number): void {
    this.syncTimer = setTimeout(() => {
      this.findSyncTarget(attempt).catch((error: unknown) => {
        if (attempt !== this.attempt) return;
        this.bus.log.debug({ error, filter: this.filter }, 'the last revision cannot be looked up; trying again');
        this.checkSyncLater(attempt);
      });
    }, SYNC_CHECK_MS);
  }

  private async findSyncTarget(attempt: number): Promise<void> {
    const last = await readLastRevision(this.bus, this.filter);
    if (attempt !== this.attempt || this.isSynced) return;
    this.syncTarget = last;
    if (this.lastRevision >= last) this.markSynced();
  }

  /** The stream as it is now; what was learnt when the connection came up may be old. */
  private async lookAgain(): Promise<StoreStream> {
    const stream = await readStoreStream(this.bus);
    if (stream === undefined) throw new Error('the store is missing');
    return stream;
  }

  private consumerConfig(inbox: string): Partial<ConsumerConfig> {
    const whole = this.withHistory ? DeliverPolicy.All : DeliverPolicy.LastPerSubject;
    const start =
      this.lastRevision === 0
        ? { deliver_policy: whole }
        : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.lastRevision + 1 };
    return {
      ...start,
      deliver_subject: inbox,
      filter_subject: this.filter,
      ack_policy: AckPolicy.None,
      max_deliver: 1,
      flow_control: true,
      idle_heartbeat: nanos(this.heartbeatMs),
      inactive_threshold: nanos(INACTIVE_THRESHOLD_MS),
      mem_storage: true,
      num_replicas: 1,
    };
  }

  /** Whether changes since the last revision can no longer be told one by one. */
  private async hasMissedChanges(stream: StoreStream): Promise<boolean> {
    if (this.knownStream !== undefined && this.knownStream !== stream.created) return true;
    if (stream.lastRevision < this.lastRevision) return true;
    return (await readCompactedRevision(this.bus)) > this.lastRevision;
  }

  private forget(): void {
    this.bus.log.info({ filter: this.filter, revision: this.lastRevision }, 'the store was replaced; listing anew');
    this.lastRevision = 0;
    this.isSynced = false;
    this.tell(() => this.handler.reset());
  }

  private receive(message: Msg): void {
    this.watchSilence();
    if (message.headers?.code === 100) {
      this.receiveControl(message);
      return;
    }
    const delivery = decodeDelivery(message.reply);
    if (delivery === undefined) return;
    const { deliverySequence, streamSequence, pending } = delivery;
    if (deliverySequence !== this.nextDelivery) {
      this.restart(0);
      return;
    }
    this.nextDelivery++;
    if (streamSequence > this.lastRevision) {
      this.lastRevision = streamSequence;
      this.receiveEntry(message, streamSequence);
    }
    if (pending === 0 || streamSequence >= this.syncTarget) this.markSynced();
  }

  /** Heartbeats tell how far the consumer is; flow control asks to be answered once all before it was handled. */
  private receiveControl(message: Msg): void {
    if (message.reply) {
      message.respond();
      return;
    }
    const stalled = message.headers?.get('Nats-Consumer-Stalled');
    if (stalled) this.bus.nats.publish(stalled);
    const lastDelivery = Number(message.headers?.get('Nats-Last-Consumer') ?? 0);
    if (lastDelivery >= this.nextDelivery) this.restart(0);
    else if (!this.isSynced) this.markSynced();
  }

  private receiveEntry(message: Msg, revision: number): void {
    if (this.mentions !== undefined && !includes(message.data, this.mentions)) {
      const key = keyOfSubject(this.bus.cluster, message.subject);
      if (key !== undefined) this.tell((told) => this.handler.skipped?.(told), key);
      return;
    }
    const deleted = message.headers?.get(OPERATION_HEADER) === OPERATION_DELETE;
    let entry: StoreEntry | undefined;
    try {
      entry = decodeEntry(this.bus.cluster, message.subject, message.data, revision, deleted);
    } catch (error) {
      this.bus.log.error({ error, subject: message.subject, revision }, 'a stored object cannot be decoded');
    }
    if (entry !== undefined) this.tell((told) => this.handler.entry(told), entry);
  }

  private markSynced(stream?: StoreStream): void {
    if (this.isSynced) return;
    this.isSynced = true;
    const revision = Math.max(this.lastRevision, stream?.lastRevision ?? 0);
    this.tell(() => this.handler.synced(revision));
  }

  /** A handler that throws is a bug; it must end the process, not the NATS client's reading. */
  private tell<T = undefined>(call: (argument: T) => void, argument?: T): void {
    try {
      call(argument as T);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  private watchSilence(): void {
    if (this.silenceTimer !== undefined && !this.stopped) {
      clearTimeout(this.silenceTimer);
    }
    this.silenceTimer = setTimeout(() => {
      if (this.bus.connected) this.restart(0);
    }, this.heartbeatMs * SILENT_HEARTBEATS);
    this.silenceTimer.unref();
  }
}

function includes({ buffer, byteOffset, length }: Uint8Array, text: Buffer): boolean {
  return Buffer.from(buffer, byteOffset, length).includes(text);
}

interface Delivery {
  readonly streamSequence: number;
  readonly deliverySequence: number;
  /** Messages that the consumer has still to send. */
  readonly pending: number;
}

/**
 * JetStream tells where a message stands in its reply subject:
 * `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>[.<token>]`
 */
function decodeDelivery(reply: string | undefined): Delivery | undefined {
  const tokens = reply?.split('.') ?? [];
  if (tokens[1] !== 'ACK' || tokens.length < 9) return undefined;
  const first = tokens.length === 9 ? 5 : 7;
  return {
    streamSequence: Number(tokens[first]),
    deliverySequence: Number(tokens[first + 1]),
    pending: Number(tokens[first + 3]),
  };
}

/** The highest revision whose deletion was forgotten; 0 when none was. */
export async function readCompactedRevision(bus: Bus): Promise<number> {
  try {
    const marker = await bus.jetStreamManager.streams.getMessage(streamName(bus.cluster), {
      last_by_subj: compactionSubject(bus.cluster),
    });
    const revision = decodeMessage(marker.data);
    return typeof revision === 'number' ? revision : 0;
  } catch (error) {
    if (isMissingMessage(error)) return 0;
    throw error;
  }
}

/** The highest revision of what the filter names; 0 when there is nothing. */
export async function readLastRevision(bus: Bus, filter: string): Promise<number> {
  try {
    const last = await bus.whileConnected(() =>
      bus.jetStreamManager.streams.getMessage(streamName(bus.cluster), { last_by_subj: filter }),
    );
    return last.seq;
  } catch (error) {
    if (isMissingMessage(error)) return 0;
    throw error;
  }
}

function isMissingMessage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '404';
}
