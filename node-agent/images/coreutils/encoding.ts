/** Utilities that encode and digest: base64, md5sum and kin, hexdump, od, xxd, gzip. */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { chunks, lines, readAll } from '../program-io.ts';
import { parseOptions } from './options.ts';
import type { Utility } from './utility.ts';

export const base64: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'di', values: 'w', long: { decode: 'd', 'wrap=': 'w' } });
  const width = options.number('w') ?? 76;
  for await (const { stream } of run.inputs(options.operands.slice(0, 1))) {
    const bytes = await readAll(stream);
    if (options.has('d')) await run.print(Buffer.from(bytes.toString('latin1'), 'base64'));
    else {
      const text = bytes.toString('base64');
      await run.print(width === 0 ? text : `${text.match(new RegExp(`.{1,${width}}`, 'g'))?.join('\n') ?? ''}\n`);
    }
  }
};

export function digest(algorithm: string): Utility {
  return async (run) => {
    const options = parseOptions(run.args, { flags: 'cbsw' });
    if (options.has('c')) return check(algorithm, run, options.operands);
    for await (const { path, stream } of run.inputs(options.operands)) {
      const hash = createHash(algorithm);
      for await (const chunk of chunks(stream)) hash.update(chunk);
      await run.print(`${hash.digest('hex')}  ${path}\n`);
    }
    return run.status;
  };
}

async function check(algorithm: string, run: Parameters<Utility>[0], paths: readonly string[]): Promise<number> {
  for await (const { stream } of run.inputs(paths)) {
    for await (const line of lines(stream)) {
      const [, wanted, path] = /^([0-9a-f]+)\s+\*?(.+)$/.exec(line) ?? [];
      if (wanted === undefined || path === undefined) continue;
      const found = createHash(algorithm)
        .update(run.context.container.files.readBytes(run.resolve(path)))
        .digest('hex');
      await run.print(`${path}: ${found === wanted ? 'OK' : 'FAILED'}\n`);
      if (found !== wanted) run.status = 1;
    }
  }
  return run.status;
}

export const hexdump: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'Cvx', values: 'ns' });
  for await (const { stream } of run.inputs(options.operands)) {
    const bytes = (await readAll(stream)).subarray(0, options.number('n'));
    for (let offset = 0; offset < bytes.length; offset += 16) {
      const row = bytes.subarray(offset, offset + 16);
      await run.print(options.has('C') ? canonicalRow(row, offset) : wordRow(row, offset));
    }
    await run.print(`${bytes.length.toString(16).padStart(options.has('C') ? 8 : 7, '0')}\n`);
  }
};

function canonicalRow(row: Buffer, offset: number): string {
  const hex = [...row].map((byte) => byte.toString(16).padStart(2, '0'));
  return `${offset.toString(16).padStart(8, '0')}  ${hex.slice(0, 8).join(' ').padEnd(23)}  ${hex.slice(8).join(' ').padEnd(23)}  |${printable(row)}|\n`;
}

function wordRow(row: Buffer, offset: number): string {
  const words: string[] = [];
  for (let index = 0; index < row.length; index += 2)
    words.push((row[index]! | ((row[index + 1] ?? 0) << 8)).toString(16).padStart(4, '0'));
  return `${offset.toString(16).padStart(7, '0')} ${words.join(' ')}\n`;
}

function printable(row: Buffer): string {
  return [...row].map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
}

export const xxd: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'pur', values: 'lcgs' });
  for await (const { stream } of run.inputs(options.operands)) {
    const bytes = (await readAll(stream)).subarray(0, options.number('l'));
    if (options.has('r')) await run.print(Buffer.from(bytes.toString('latin1').replace(/\s/g, ''), 'hex'));
    else if (options.has('p'))
      await run.print(
        `${
          bytes
            .toString('hex')
            .match(/.{1,60}/g)
            ?.join('\n') ?? ''
        }\n`,
      );
    else
      for (let offset = 0; offset < bytes.length; offset += 16) {
        const row = bytes.subarray(offset, offset + 16);
        const pairs = row.toString('hex').match(/.{1,4}/g) ?? [];
        await run.print(`${offset.toString(16).padStart(8, '0')}: ${pairs.join(' ').padEnd(39)}  ${printable(row)}\n`);
      }
  }
};

export const od: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'cxbdv', values: 'AtNjw' });
  const names: Readonly<Record<number, string>> = {
    0: '\\0',
    7: '\\a',
    8: '\\b',
    9: '\\t',
    10: '\\n',
    11: '\\v',
    12: '\\f',
    13: '\\r',
  };
  const type = options.value('t') ?? (options.has('c') ? 'c' : options.has('x') ? 'x2' : 'o2');
  const address = (offset: number): string =>
    options.value('A') === 'n'
      ? ''
      : offset.toString(options.value('A') === 'x' ? 16 : options.value('A') === 'd' ? 10 : 8).padStart(7, '0');
  for await (const { stream } of run.inputs(options.operands)) {
    const bytes = (await readAll(stream)).subarray(0, options.number('N'));
    for (let offset = 0; offset < bytes.length; offset += 16) {
      const row = bytes.subarray(offset, offset + 16);
      const cells = type.startsWith('c')
        ? [...row].map((byte) =>
            (
              names[byte] ?? (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : byte.toString(8).padStart(3, '0'))
            ).padStart(4),
          )
        : type.endsWith('1')
          ? [...row].map(
              (byte) =>
                ` ${byte.toString(type.startsWith('x') ? 16 : type.startsWith('u') || type.startsWith('d') ? 10 : 8).padStart(type.startsWith('x') ? 2 : 3, type.startsWith('u') || type.startsWith('d') ? ' ' : '0')}`,
            )
          : Array.from(
              { length: Math.ceil(row.length / 2) },
              (_, index) =>
                ` ${(row[index * 2]! | ((row[index * 2 + 1] ?? 0) << 8)).toString(type.startsWith('x') ? 16 : 8).padStart(type.startsWith('x') ? 4 : 6, '0')}`,
            );
      await run.print(`${address(offset)}${cells.join('')}\n`);
    }
    if (options.value('A') !== 'n') await run.print(`${address(bytes.length)}\n`);
  }
};

export const gzip: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'cdfkn123456789' });
  const expands = options.has('d') || run.name === 'gunzip' || run.name === 'zcat';
  const { files } = run.context.container;
  const convert = (bytes: Uint8Array): Buffer => (expands ? gunzipSync(bytes) : gzipSync(bytes));
  if (options.operands.length === 0) {
    await run.print(convert(await readAll(run.context.stdin)));
    return;
  }
  for (const path of options.operands) {
    const bytes = convert(files.readBytes(run.resolve(path)));
    if (options.has('c') || run.name === 'zcat') {
      await run.print(bytes);
      continue;
    }
    files.writeFile(run.resolve(expands ? path.replace(/\.gz$/, '') : `${path}.gz`), bytes);
    if (!options.has('k')) files.unlink(run.resolve(path));
  }
};
