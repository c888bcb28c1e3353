/** Leases in a JSON file, replaced as a whole so that a kill leaves the old or the new one. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { LeaseStore, Leases } from './host-local.ts';

export class LeaseFile implements LeaseStore {
  private readonly path: string;
  private pending: Leases | undefined;

  constructor(path: string) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
  }

  /** Undefined when there is no file, or none that can be used: then no address is known to be in use. */
  load(): Leases | undefined {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    return decodeLeases(text);
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
    const draft = `${this.path}.new`;
    writeFileSync(draft, `${JSON.stringify(leases)}\n`);
    renameSync(draft, this.path);
  }
}

function decodeLeases(text: string): Leases | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // A file that a full disk cut short; the pods that run are attached anew anyway.
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { range, lastGiven, entries } = value as Record<string, unknown>;
  if (typeof range !== 'string' || typeof lastGiven !== 'number' || !Array.isArray(entries)) return undefined;
  return { range, lastGiven, entries: entries.filter(isLease) };
}

function isLease(entry: unknown): entry is readonly [string, number] {
  return Array.isArray(entry) && typeof entry[0] === 'string' && Number.isInteger(entry[1]);
}
