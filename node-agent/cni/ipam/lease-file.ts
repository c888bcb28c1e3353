/**
 * Leases in a JSON file and a second one beside it, written in turns and in place. A kill spoils at most the one that is being
 * written, and nothing waits for the disk: replacing a file by another, or emptying it, makes the file system write it out,
 * which stopped a node for seconds while it started many pods.
 */
import { constants, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { LeaseStore, Leases } from './host-local.ts';

interface NumberedLeases {
  /** Grows with every state that is written. */
  readonly turn: number;
  readonly leases: Leases;
}

export class LeaseFile implements LeaseStore {
  private readonly paths: readonly [string, string];
  private readonly files: (number | undefined)[] = [undefined, undefined];
  private turn = 0;
  private pending: Leases | undefined;

  constructor(path: string) {
    this.paths = [path, `${path}.other`];
    mkdirSync(dirname(path), { recursive: true });
  }

  /** Undefined when there is no file, or none that can be used: then no address is known to be in use. */
  load(): Leases | undefined {
    const states = this.paths.flatMap((path) => readState(path) ?? []);
    const newest = states.reduce<NumberedLeases | undefined>(
      (best, state) => (best === undefined || state.turn > best.turn ? state : best),
      undefined,
    );
    this.turn = newest?.turn ?? 0;
    return newest?.leases;
  }

  /** Written once per turn of the event loop, however many addresses change hands in it. */
  save(leases: Leases): void {
    if (this.pending === undefined) setImmediate(() => this.flush());
    this.pending = leases;
  }

  private flush(): void {
    const leases = this.pending;
    if (leases === undefined) return;
    this.pending = undefined;
    this.turn++;
    const index = this.turn % 2;
    this.files[index] ??= openSync(this.paths[index] as string, constants.O_RDWR | constants.O_CREAT, 0o644);
    writeInPlace(this.files[index], encodeState({ turn: this.turn, leases }));
  }
}

/** Its number stands at both ends: what was cut or mixed with an older state does not have it twice. */
function encodeState({ turn, leases }: NumberedLeases): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ turn, ...leases, written: turn })}\n`);
}

function writeInPlace(file: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset, bytes.length - offset, offset);
  ftruncateSync(file, bytes.length);
}

function readState(path: string): NumberedLeases | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return decodeState(text.split('\n', 1)[0] as string);
}

function decodeState(text: string): NumberedLeases | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Cut short by a kill or a full disk; the pods that run are attached anew anyway.
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { turn, range, lastGiven, entries, written } = value as Record<string, unknown>;
  if (typeof turn !== 'number' || turn !== written) return undefined;
  if (typeof range !== 'string' || typeof lastGiven !== 'number' || !Array.isArray(entries)) return undefined;
  return { turn, leases: { range, lastGiven, entries: entries.filter(isLease) } };
}

function isLease(entry: unknown): entry is readonly [string, number] {
  return Array.isArray(entry) && typeof entry[0] === 'string' && Number.isInteger(entry[1]);
}
