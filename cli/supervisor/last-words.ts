import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isJsonObject } from '../../shared/api/object.ts';

const TAIL_BYTES = 16 * 1024;
const LENGTH_LIMIT = 300;

/** What a process said last: its log's last line, or of a JSON line the error or message in it. */
export function lastWords(logFile: string): string | undefined {
  const line = tailOf(logFile).trim().split('\n').at(-1);
  if (line === undefined || line === '') return undefined;
  return (messageInLine(line) ?? line).slice(0, LENGTH_LIMIT);
}

function tailOf(path: string): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const buffer = Buffer.alloc(TAIL_BYTES);
    const { size } = fstatSync(file);
    const length = readSync(file, buffer, 0, TAIL_BYTES, Math.max(0, size - TAIL_BYTES));
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}

function messageInLine(line: string): string | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isJsonObject(entry)) return undefined;
  if (isJsonObject(entry.error) && typeof entry.error.message === 'string') return entry.error.message;
  return typeof entry.msg === 'string' ? entry.msg : undefined;
}
