/**
 * The store of all objects, as the apiserver (the only writer) uses it. Every write is a compare-and-set on the revision
 * of the key's last message; a write whose answer was lost is repeated with the same id, so that it takes effect once.
 */
import {
  DiscardPolicy,
  ErrorCode,
  headers,
  NatsError,
  nuid,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from 'nats';
import type { KubeObject } from '../api/object.ts';
import { BusTimeoutError, BusUnavailableError } from './bus-error.ts';
import { encodeMessage } from './codec.ts';
import type { Bus } from './connection.ts';
import { encodeObject, OPERATION_DELETE, OPERATION_HEADER, type StoreEntry } from './store-entry.ts';
import { readCompactedRevision, readLastRevision, StoreFeed, type StoreFeedHandler } from './store-feed.ts';
import {
  compactionSubject,
  encodeKey,
  MAX_SUBJECT_LENGTH,
  type ObjectKey,
  storeFilter,
  streamName,
  subjectPrefix,
} from './store-layout.ts';
import { jetStreamErrorCode, readStoreStream } from './store-stream.ts';

/** The key's last revision is not the expected one: somebody else wrote. */
export class RevisionConflictError extends Error {
  override name = 'RevisionConflictError';
  readonly key: ObjectKey;
  readonly expectedRevision: number;

  constructor(key: ObjectKey, expectedRevision: number) {
    super(`${encodeKey(key)} is not at revision ${expectedRevision}`);
    this.key = key;
    this.expectedRevision = expectedRevision;
  }
}

export interface ObjectStoreOptions {
  /** Copies in a NATS cluster; 1 by default. */
  readonly replicas?: number;
  /** How long a write may take, reconnecting included; 10 s by default. */
  readonly writeTimeoutMs?: number;
}

/** The whole state at one revision. */
export interface StoreSnapshot {
  readonly revision: number;
  readonly entries: readonly StoreEntry[];
  /** Last states of deleted objects that are still remembered. */
  readonly tombstones: readonly StoreEntry[];
}

/** A write as it is sent, as often as it takes. */
interface StoreMessage {
  readonly key: ObjectKey;
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly id: string;
  readonly expectedRevision: number;
  readonly deletes: boolean;
}

const WRONG_LAST_SEQUENCE = 10_071;
const STREAM_NAME_IN_USE = 10_058;
const MESSAGE_ID_HEADER = 'Nats-Msg-Id';
/** The newest and some before it: who was away for a moment is told of every change, not only of what came of it. */
const STATES_PER_OBJECT = 32;
const DUPLICATE_WINDOW_NS = 60_000_000_000;
const DEFAULT_WRITE_TIMEOUT_MS = 10_000;
const ATTEMPT_TIMEOUT_MS = 3000;
const RETRY_MS = 50;

export class ObjectStore {
  private readonly bus: Bus;
  private readonly prefix: string;
  private readonly writeTimeoutMs: number;

  private constructor(bus: Bus, options: ObjectStoreOptions) {
    this.bus = bus;
    this.prefix = subjectPrefix(bus.cluster);
    this.writeTimeoutMs = options.writeTimeoutMs ?? DEFAULT_WRITE_TIMEOUT_MS;
  }

  /** Makes the stream when it is missing. */
  static async open(bus: Bus, options: ObjectStoreOptions = {}): Promise<ObjectStore> {
    await ensureStream(bus, options.replicas ?? 1);
    return new ObjectStore(bus, options);
  }

  /**
   * Writes an object and resolves to its revision. `expectedRevision` is that of the key's last message: 0 when there is
   * none, that of the tombstone after a deletion. Throws RevisionConflictError, BusUnavailableError, BusTimeoutError.
   */
  put(key: ObjectKey, object: KubeObject, expectedRevision: number): Promise<number> {
    return this.write(key, encodeObject(object), expectedRevision, false);
  }

  /** Replaces the object by a tombstone that carries its last state; resolves to the tombstone's revision. */
  remove(key: ObjectKey, lastState: KubeObject, expectedRevision: number): Promise<number> {
    return this.write(key, encodeObject(lastState), expectedRevision, true);
  }

  /** The revision of the last change; 0 in an empty store. */
  lastRevision(): Promise<number> {
    return readLastRevision(this.bus, storeFilter(this.bus.cluster));
  }

  /** Tells everything after `fromRevision` (0: the present state first) until it is stopped. */
  follow(handler: StoreFeedHandler, fromRevision = 0): StoreFeed {
    return new StoreFeed(this.bus, { filter: storeFilter(this.bus.cluster), fromRevision, handler });
  }

  /** What happened after `fromRevision` up to `toRevision`, as far as the store still knows. */
  history(fromRevision: number, toRevision: number): Promise<StoreEntry[]> {
    const entries: StoreEntry[] = [];
    return new Promise((resolve) => {
      const finish = (): void => {
        queueMicrotask(() => feed.stop());
        resolve(entries.filter(({ revision }) => revision <= toRevision));
      };
      const handler: StoreFeedHandler = {
        entry: (entry) => void entries.push(entry),
        reset: () => {
          entries.length = 0;
        },
        synced: finish,
      };
      const filter = storeFilter(this.bus.cluster);
      const feed = new StoreFeed(this.bus, { filter, fromRevision, withHistory: true, handler });
    });
  }

  /** Reads the whole state once. */
  load(): Promise<StoreSnapshot> {
    const states = new Map<string, StoreEntry>();
    return new Promise((resolve) => {
      const feed = this.follow({
        entry: (entry) => void states.set(encodeKey(entry.key), entry),
        reset: () => states.clear(),
        synced: (revision) => {
          queueMicrotask(() => feed.stop());
          const all = [...states.values()];
          resolve({
            revision,
            entries: all.filter((entry) => !entry.deleted),
            tombstones: all.filter((entry) => entry.deleted),
          });
        },
      });
    });
  }

  /**
   * Forgets these tombstones. Who resumes from an older revision afterwards is told everything anew, as it cannot learn of
   * these deletions any more. Keys that were written since are left alone.
   */
  async forget(tombstones: readonly Pick<StoreEntry, 'key' | 'revision'>[]): Promise<void> {
    if (tombstones.length === 0) return;
    const highest = Math.max(...tombstones.map(({ revision }) => revision), await readCompactedRevision(this.bus));
    await this.bus.jetStream.publish(compactionSubject(this.bus.cluster), encodeMessage(highest));
    for (const { key, revision } of tombstones) {
      await this.bus.jetStreamManager.streams.purge(streamName(this.bus.cluster), {
        filter: this.prefix + encodeKey(key),
        seq: revision + 1,
      });
    }
  }

  private async write(
    key: ObjectKey,
    payload: Uint8Array,
    expectedRevision: number,
    deletes: boolean,
  ): Promise<number> {
    const deadlineMs = performance.now() + this.writeTimeoutMs;
    const subject = this.prefix + encodeKey(key);
    if (subject.length > MAX_SUBJECT_LENGTH) throw new Error(`the key ${subject.slice(0, 100)}... is too long`);
    const message: StoreMessage = {
      key,
      subject,
      payload,
      id: nuid.next(),
      expectedRevision,
      deletes,
    };
    for (let repeated = false; ; repeated = true) {
      try {
        return await this.attempt(message, repeated);
      } catch (error) {
        if (!isTransient(error)) throw error;
        if (performance.now() >= deadlineMs) throw writeError(error, key);
        this.bus.log.debug({ error, key: message.subject }, 'a write is repeated');
        await this.pause(deadlineMs);
      }
    }
  }

  private async attempt(message: StoreMessage, repeated: boolean): Promise<number> {
    const { key, subject, payload, id, expectedRevision, deletes } = message;
    const messageHeaders = headers();
    if (deletes) messageHeaders.set(OPERATION_HEADER, OPERATION_DELETE);
    const options = {
      msgID: id,
      headers: messageHeaders,
      expect: { lastSubjectSequence: expectedRevision },
      timeout: ATTEMPT_TIMEOUT_MS,
    };
    try {
      const ack = await this.bus.whileConnected(() => this.bus.jetStream.publish(subject, payload, options));
      return ack.seq;
    } catch (error) {
      if (jetStreamErrorCode(error) !== WRONG_LAST_SEQUENCE) throw error;
      const own = repeated ? await this.revisionOfMessage(subject, id) : undefined;
      if (own === undefined) throw new RevisionConflictError(key, expectedRevision);
      return own;
    }
  }

  /** The revision of the subject's last message if it is the one with this id: an earlier attempt that did succeed. */
  private async revisionOfMessage(subject: string, messageId: string): Promise<number | undefined> {
    const { jetStreamManager, cluster } = this.bus;
    const last = await this.bus.whileConnected(() =>
      jetStreamManager.streams.getMessage(streamName(cluster), { last_by_subj: subject }),
    );
    return last.header.get(MESSAGE_ID_HEADER) === messageId ? last.seq : undefined;
  }

  /** Waits a moment; while disconnected, until the connection is back or the deadline. */
  private async pause(deadlineMs: number): Promise<void> {
    do {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    } while (!this.bus.connected && performance.now() < deadlineMs);
  }
}

/** Deletes the store with all that is in it, if there is one. */
export async function deleteStore(bus: Bus): Promise<void> {
  if ((await readStoreStream(bus)) !== undefined) await bus.jetStreamManager.streams.delete(streamName(bus.cluster));
}

async function ensureStream(bus: Bus, replicas: number): Promise<void> {
  const config: Partial<StreamConfig> = {
    name: streamName(bus.cluster),
    description: `objects of cluster ${bus.cluster}`,
    subjects: [storeFilter(bus.cluster)],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: STATES_PER_OBJECT,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    deny_purge: false,
    duplicate_window: DUPLICATE_WINDOW_NS,
    num_replicas: replicas,
  };
  for (;;) {
    const present = await readStoreStream(bus);
    if (present !== undefined) {
      // Made by an earlier version.
      if (present.statesPerObject !== STATES_PER_OBJECT)
        await bus.jetStreamManager.streams.update(streamName(bus.cluster), config);
      return;
    }
    try {
      await bus.jetStreamManager.streams.add(config);
    } catch (error) {
      // Another apiserver was faster.
      if (jetStreamErrorCode(error) !== STREAM_NAME_IN_USE) throw error;
    }
  }
}

function isTransient(error: unknown): boolean {
  if (error instanceof BusUnavailableError) return true;
  if (!(error instanceof NatsError)) return false;
  const code: string = error.code;
  return (
    code === ErrorCode.Timeout ||
    code === ErrorCode.NoResponders ||
    code === ErrorCode.Disconnect ||
    code === ErrorCode.ConnectionRefused
  );
}

function writeError(error: unknown, key: ObjectKey): Error {
  const unanswered = error instanceof NatsError && error.code === ErrorCode.NoResponders;
  if (unanswered || (error instanceof BusUnavailableError && !error.maybeDelivered)) {
    return new BusUnavailableError(`the store does not answer: ${encodeKey(key)} was not written`);
  }
  return new BusTimeoutError(`the store did not answer in time: ${encodeKey(key)} may or may not be written`);
}
