/** The stream behind the store: whether it is there, and whether it is still the same one. */
import { NatsError } from 'nats';
import type { Bus } from './connection.ts';
import { streamName } from './store-layout.ts';

export interface StoreStream {
  /** When the stream was made; another value means that the store was replaced. */
  readonly created: string;
  /** Its last sequence when it was looked at. */
  readonly lastRevision: number;
  /** How many states of an object it keeps. */
  readonly statesPerObject: number;
  /** How many servers have a copy. */
  readonly replicas: number;
}

/** JetStream's error code for a stream that does not exist. */
const STREAM_NOT_FOUND = 10_059;
const FIRST_POLL_MS = 20;
const LAST_POLL_MS = 500;

export function jetStreamErrorCode(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}

/** Undefined when the stream does not exist. */
export async function readStoreStream(bus: Bus): Promise<StoreStream | undefined> {
  try {
    const name = streamName(bus.cluster);
    const { created, state, config } = await bus.whileConnected(() => bus.jetStreamManager.streams.info(name));
    return {
      created,
      lastRevision: state.last_seq,
      statesPerObject: config.max_msgs_per_subject,
      replicas: config.num_replicas,
    };
  } catch (error) {
    if (jetStreamErrorCode(error) === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

const waiting = new WeakMap<Bus, Promise<StoreStream>>();

/**
 * Resolves once the stream exists; for ever patient, as the apiserver makes the stream and may come later. All feeds of a
 * connection share one poll, and one answer until the connection breaks.
 */
export function waitForStoreStream(bus: Bus): Promise<StoreStream> {
  const known = waiting.get(bus);
  if (known !== undefined) return known;
  const found = pollStoreStream(bus);
  waiting.set(bus, found);
  const subscription = bus.onStateChange(() => {
    subscription.unsubscribe();
    waiting.delete(bus);
  });
  return found;
}

async function pollStoreStream(bus: Bus): Promise<StoreStream> {
  for (let pauseMs = FIRST_POLL_MS; ; pauseMs = Math.min(LAST_POLL_MS, pauseMs * 1.1)) {
    try {
      const stream = await readStoreStream(bus);
      if (stream !== undefined) return stream;
    } catch (error) {
      if (bus.nats.isClosed()) throw error;
      bus.log.debug({ error }, 'the store cannot be looked at');
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
