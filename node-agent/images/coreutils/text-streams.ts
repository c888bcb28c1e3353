/** Utilities that pass bytes on as they come: cat, head, tail, tee, wc, nl, rev, tac. */
import type { Readable } from 'node:stream';
import { FileNode } from '../files/file-node.ts';
import { byteLines, chunks, readAll } from '../program-io.ts';
import { parseOptions, UsageError } from './options.ts';
import type { Invocation, Utility } from './utility.ts';

export const cat: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'nbsvetAEuT' });
  const numbers = options.has('n') || options.has('b');
  const ends = options.has('e') || options.has('E') || options.has('A');
  let number = 0;
  for await (const { stream } of run.inputs(options.operands)) {
    if (!numbers && !ends) {
      for await (const chunk of chunks(stream)) await run.print(chunk);
      continue;
    }
    for await (const line of byteLines(stream)) {
      const text = line.toString('latin1');
      const counted = numbers && !(options.has('b') && text === '\n');
      const prefix = counted ? `${String(++number).padStart(6)}\t` : '';
      await run.print(Buffer.from(prefix + (ends ? text.replace(/\n$/, '$\n') : text), 'latin1'));
    }
  }
};

export const head: Utility = async (run) => {
  const options = parseOptions(obsoleteCount(run.args), {
    flags: 'qv',
    values: 'nc',
    long: { 'lines=': 'n', 'bytes=': 'c', quiet: 'q' },
  });
  const bytes = options.number('c');
  const limit = options.number('n') ?? 10;
  let first = true;
  for await (const { path, stream } of run.inputs(options.operands)) {
    await header(run, options.operands.length > 1 && !options.has('q'), path, first);
    first = false;
    if (bytes !== undefined) await headBytes(run, stream, bytes);
    else if (limit < 0) {
      const all = (await readAll(stream)).toString('latin1').split(/(?<=\n)/);
      await run.print(Buffer.from(all.slice(0, limit).join(''), 'latin1'));
    } else {
      let left = limit;
      if (left === 0) continue;
      for await (const line of byteLines(stream)) {
        await run.print(line);
        left -= 1;
        if (left === 0) break;
      }
    }
  }
};

async function headBytes(run: Invocation, stream: Readable, limit: number): Promise<void> {
  let left = limit;
  if (left <= 0) return;
  for await (const chunk of chunks(stream)) {
    await run.print(chunk.subarray(0, left));
    left -= chunk.length;
    if (left <= 0) break;
  }
}

async function header(run: Invocation, wanted: boolean, path: string, first: boolean): Promise<void> {
  if (wanted) await run.print(`${first ? '' : '\n'}==> ${path === '-' ? 'standard input' : path} <==\n`);
}

/** `head -5` and `tail -5` of old. */
function obsoleteCount(args: readonly string[]): string[] {
  return args.map((arg) => (/^-\d+$/.test(arg) ? `-n${arg.slice(1)}` : arg));
}

export const tail: Utility = async (run) => {
  const options = parseOptions(obsoleteCount(run.args), {
    flags: 'qvfFr',
    values: 'ncs',
    long: { 'lines=': 'n', 'bytes=': 'c', follow: 'f' },
  });
  const unit = options.has('c') ? 'bytes' : 'lines';
  const count = options.value('c') ?? options.value('n') ?? '10';
  if (!/^[-+]?\d+$/.test(count)) throw new UsageError(`invalid number '${count}'`);
  let first = true;
  for await (const { path, stream } of run.inputs(options.operands)) {
    await header(run, options.operands.length > 1 && !options.has('q'), path, first);
    first = false;
    await tailOf(run, await readAll(stream), unit, count);
  }
  if (options.has('f') || options.has('F')) await follow(run, options.operands);
};

async function tailOf(run: Invocation, bytes: Buffer, unit: 'bytes' | 'lines', count: string): Promise<void> {
  const number = Math.abs(Number(count));
  if (unit === 'bytes') {
    await run.print(count.startsWith('+') ? bytes.subarray(number - 1) : number === 0 ? '' : bytes.subarray(-number));
    return;
  }
  const all = bytes
    .toString('latin1')
    .split(/(?<=\n)/)
    .filter((line) => line !== '');
  const chosen = count.startsWith('+') ? all.slice(Math.max(0, number - 1)) : number === 0 ? [] : all.slice(-number);
  await run.print(Buffer.from(chosen.join(''), 'latin1'));
}

/** `tail -f`: prints what is appended until a signal ends it. */
async function follow(run: Invocation, paths: readonly string[]): Promise<void> {
  const { files } = run.context.container;
  const unwatch: (() => void)[] = [];
  for (const path of paths) {
    const node = files.node(run.resolve(path));
    if (!(node instanceof FileNode)) continue;
    // An image's own file would be replaced by the first write to it: follow the container's copy.
    const file = node.shared ? files.fileForWriting(run.resolve(path)) : node;
    let seen = file.sizeBytes;
    unwatch.push(
      file.watch(() => {
        if (file.sizeBytes < seen) seen = 0;
        if (!run.context.stdout.destroyed) run.context.stdout.write(Buffer.from(file.bytes.slice(seen)));
        seen = file.sizeBytes;
      }),
    );
  }
  await new Promise<void>((resolve) => {
    run.context.signal.addEventListener('abort', () => resolve(), { once: true });
    run.context.stdout.once('close', resolve);
  });
  for (const stop of unwatch) stop();
}

export const tee: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'ai' });
  const writers = options.operands.map((path) => run.openFile(path, options.has('a') ? 'append' : 'write'));
  for await (const chunk of chunks(run.context.stdin)) {
    await run.print(chunk);
    for (const writer of writers) writer.writer().write(chunk);
  }
  for (const writer of writers) writer.release();
};

export const wc: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'lwcmL' });
  const all = !['l', 'w', 'c', 'm', 'L'].some((flag) => options.has(flag));
  const total = [0, 0, 0, 0, 0];
  const row = (counts: readonly number[], name: string): string => {
    const flags = ['l', 'w', 'm', 'c', 'L'];
    const chosen = counts.filter((_, index) =>
      all ? 'lwc'.includes(flags[index] ?? '') : options.has(flags[index] ?? ''),
    );
    const padded =
      chosen.length === 1 && options.operands.length <= 1
        ? String(chosen[0])
        : chosen.map((count) => String(count).padStart(chosen.length > 1 ? 7 : 1)).join(' ');
    return `${padded}${name === '' ? '' : ` ${name}`}\n`;
  };
  for await (const { path, stream } of run.inputs(options.operands)) {
    const counts = [0, 0, 0, 0, 0];
    let inWord = false;
    for await (const chunk of chunks(stream)) {
      for (const byte of chunk) {
        if (byte === 10) counts[0]! += 1;
        const isSpace = byte === 32 || (byte >= 9 && byte <= 13);
        if (!isSpace && !inWord) counts[1]! += 1;
        inWord = !isSpace;
        if ((byte & 0xc0) !== 0x80) counts[2]! += 1;
      }
      counts[3]! += chunk.length;
    }
    for (const [index, count] of counts.entries()) total[index]! += count;
    await run.print(row(counts, path === '-' ? '' : path));
  }
  if (options.operands.length > 1) await run.print(row(total, 'total'));
};

export const nl: Utility = async (run) => {
  const options = parseOptions(run.args, { values: 'bvwsi' });
  let number = 0;
  for await (const { stream } of run.inputs(options.operands)) {
    for await (const line of byteLines(stream)) {
      const text = line.toString('utf8');
      const counted = text.trim() !== '' || options.value('b') === 'a';
      await run.print(counted ? `${String(++number).padStart(6)}\t${text}` : `       ${text}`);
    }
  }
};

export const rev: Utility = async (run) => {
  for await (const { stream } of run.inputs(run.args)) {
    for await (const line of byteLines(stream)) {
      const text = line.toString('utf8').replace(/\n$/, '');
      await run.print(`${[...text].reverse().join('')}\n`);
    }
  }
};

export const tac: Utility = async (run) => {
  for await (const { stream } of run.inputs(run.args)) {
    const lines = (await readAll(stream)).toString('utf8').replace(/\n$/, '').split('\n');
    await run.print(`${lines.reverse().join('\n')}\n`);
  }
};

/** `yes`: until nobody reads any more. */
export const yes: Utility = async (run) => {
  const line = `${run.args.length === 0 ? 'y' : run.args.join(' ')}\n`;
  const block = line.repeat(Math.ceil(4096 / line.length));
  for (;;) await run.print(block);
};
