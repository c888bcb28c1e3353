/**
 * A timer of the kernel (timerfd), polled through libuv: it wakes this process within some ten microseconds of its deadline,
 * where `setTimeout` knows whole milliseconds and a spin on `setImmediate` uses up the processor time that the process then
 * lacks when it counts. What it is late by, some fifty microseconds, is not asked for earlier: a delay counts from the start
 * of a turn, and what the turn takes until the packet comes to the link is about as much.
 */
import { loadNativeLibrary, NativeCallError } from '../../shared/native/native-library.ts';

export interface PreciseTimer {
  onDue: (() => void) | null;
  /** Of CLOCK_MONOTONIC, in microseconds; takes the place of the deadline before. */
  set(deadlineUs: number): void;
  close(): void;
}

const CLOCK_MONOTONIC = 1;
const TFD_NONBLOCK = 0x800;
const TFD_CLOEXEC = 0x80000;
const TFD_TIMER_ABSTIME = 1;
/** `struct itimerspec` on 64-bit machines: interval and value, each as seconds and nanoseconds. */
const ITIMERSPEC_BYTES = 32;
const VALUE_SECONDS = 16;
const VALUE_NANOSECONDS = 24;
const EXPIRATIONS_BYTES = 8;

/** Rejects, saying why, where there is none. */
export async function openPreciseTimer(): Promise<PreciseTimer> {
  const library = await loadNativeLibrary();
  const { outcome, closeDescriptor } = library;
  const timerfdCreate = library.declare('int timerfd_create(int, int)');
  const timerfdSettime = library.declare('int timerfd_settime(int, int, void *, void *)');
  const read = library.declare('int read(int, void *, size_t)');
  const descriptor = outcome(timerfdCreate(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (descriptor < 0) throw new NativeCallError('timerfd_create', descriptor);
  const expirations = new Uint8Array(EXPIRATIONS_BYTES);
  const spec = new Uint8Array(ITIMERSPEC_BYTES);
  const view = new DataView(spec.buffer);
  const timer: PreciseTimer = {
    onDue: null,
    set(deadlineUs) {
      const seconds = Math.floor(deadlineUs / 1e6);
      view.setUint32(VALUE_SECONDS, seconds, true);
      view.setUint32(VALUE_NANOSECONDS, Math.floor((deadlineUs - seconds * 1e6) * 1000), true);
      timerfdSettime(descriptor, TFD_TIMER_ABSTIME, spec, null);
    },
    close() {
      stopPolling();
      closeDescriptor(descriptor);
    },
  };
  const stopPolling = library.poll(descriptor, () => {
    // What was set anew meanwhile has not expired.
    if (outcome(read(descriptor, expirations, EXPIRATIONS_BYTES)) > 0) callDue(timer);
  });
  return timer;
}

/** libuv, which calls this, cannot take an error: one is raised where uncaught ones are seen. */
function callDue(timer: PreciseTimer): void {
  try {
    timer.onDue?.();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
