import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ContainerLog } from './container-log.ts';
import { decodeLogEntry, encodeLogEntry, LineCutter, type LogEntry, logTime } from './log-entry.ts';

let folder: string;
let nowMs: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-log-'));
  nowMs = Date.UTC(2026, 0, 31, 8);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function newLog(maxFileBytes?: number): ContainerLog {
  return new ContainerLog({ path: join(folder, 'web', '0.log'), nowMs: () => nowMs, maxFileBytes });
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function texts(entries: Iterable<LogEntry>): string[] {
  return [...entries].map((entry) => Buffer.from(entry.text).toString());
}

describe('a container log', () => {
  test('keeps lines with their time and stream', () => {
    const log = newLog();
    log.append('stdout', bytes('one\ntw'));
    nowMs += 1500;
    log.append('stderr', bytes('oops\n'));
    log.append('stdout', bytes('o\n'));
    const entries = [...log.read()];
    expect(texts(entries)).toEqual(['one', 'oops', 'two']);
    expect(entries[0]).toMatchObject({ time: '2026-01-31T08:00:00.000000000Z', stream: 'stdout', complete: true });
    expect(entries[1]).toMatchObject({ time: '2026-01-31T08:00:01.500000000Z', stream: 'stderr' });
  });

  test('gives the last lines, and lines since a time', () => {
    const log = newLog();
    for (let i = 0; i < 5000; i++) {
      nowMs += 1;
      log.append('stdout', bytes(`line ${i} ${'x'.repeat(i % 50)}\n`));
    }
    expect(texts(log.read({ tailLines: 3 })).map((text) => text.split(' ')[1])).toEqual(['4997', '4998', '4999']);
    expect(texts(log.read({ tailLines: 4000 })).length).toBe(4000);
    expect(texts(log.read({ tailLines: 0 }))).toEqual([]);
    expect(texts(log.read({ tailLines: 9999 })).length).toBe(5000);
    expect(texts(log.read({ since: logTime(nowMs - 9) })).length).toBe(10);
  });

  test('tells followers, and of the end, with what had no line end', () => {
    const log = newLog();
    log.append('stdout', bytes('before\n'));
    const seen: string[] = [];
    let ends = 0;
    log.follow(
      (entry) => seen.push(Buffer.from(entry.text).toString()),
      () => ends++,
    );
    log.append('stdout', bytes('after\nno end'));
    log.close();
    log.append('stdout', bytes('late\n'));
    expect(seen).toEqual(['after', 'no end']);
    expect(texts(log.read())).toEqual(['before', 'after', 'no end']);
    log.follow(
      () => undefined,
      () => ends++,
    );
    expect(ends).toBe(2);
  });

  test('is bounded: an old part is set aside', () => {
    const log = newLog(1000);
    for (let i = 0; i < 100; i++) {
      log.append('stdout', bytes(`line ${i}\n`));
      [...log.read()];
    }
    const kept = texts(log.read());
    expect(kept.at(-1)).toBe('line 99');
    expect(kept.length).toBeLessThan(25);
  });

  test('lines that cannot be written are lost, and told once', () => {
    const errors: unknown[] = [];
    const path = join(folder, 'gone', '0.log');
    const log = new ContainerLog({ path, nowMs: () => nowMs, onError: (error) => errors.push(error) });
    rmSync(join(folder, 'gone'), { recursive: true });
    for (let i = 0; i < 3; i++) {
      log.append('stdout', bytes('lost\n'));
      expect([...log.read()]).toEqual([]);
    }
    expect(errors).toMatchObject([{ code: 'ENOENT' }]);
  });

  test('a log without output has no entries', () => {
    expect([...newLog().read({ tailLines: 10 })]).toEqual([]);
  });
});

test('lines come out as they went in, however the bytes are cut', () => {
  const chunks = fc.array(fc.array(fc.constantFrom(0x0a, 0x20, 0x41, 0xc3, 0xa9), { maxLength: 12 }), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(chunks, (parts) => {
      const cutter = new LineCutter('stdout', 7);
      const entries = parts.flatMap((part) => cutter.push(Uint8Array.from(part), logTime(0)));
      entries.push(...cutter.finish(logTime(0)));
      const joined = entries.flatMap((entry) => {
        const decoded = decodeLogEntry(encodeLogEntry(entry).subarray(0, -1))!;
        return [...decoded.text, ...(decoded.complete ? [0x0a] : [])];
      });
      expect(joined).toEqual(parts.flat());
    }),
  );
});
