/** The other end is a thread of its own, as the answer is waited for without an event loop. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exchangeNow } from './exchange-now.ts';

let folder: string;
let path: string;
let worker: Worker | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-now-'));
  path = join(folder, 'socket');
});
afterEach(async () => {
  await worker?.terminate();
  worker = undefined;
  rmSync(folder, { recursive: true });
});

/** `onSocket`: the body of a function of the accepted `socket`. */
async function listen(onSocket: string): Promise<void> {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    require('node:net').createServer((socket) => { ${onSocket} }).listen(workerData, () => parentPort.postMessage('listens'));
  `;
  worker = new Worker(source, { eval: true, workerData: path });
  await once(worker, 'message');
}

describe('an exchange on the spot', () => {
  it('has its answer when it returns, however many pieces it comes in', async () => {
    await listen(`
      let asked = '';
      socket.on('data', (data) => {
        asked += data;
        if (asked.length < 200000) return;
        for (let i = 0; i < 5; i++) setTimeout(() => socket.write('part' + i), 5 * i);
      });
    `);
    const link = connect(path);
    let answer = '';
    exchangeNow(link, [Buffer.alloc(100_000, 'a'), Buffer.alloc(100_000, 'b')], (chunk) => {
      answer += Buffer.from(chunk).toString();
      return answer.endsWith('part4');
    });
    expect(answer).toBe('part0part1part2part3part4');
    link.destroy();
  });

  it('leaves the link to its events', async () => {
    await listen(`socket.on('data', (data) => socket.write(data)); socket.on('end', () => socket.end('bye'));`);
    const link = connect(path);
    let first = '';
    exchangeNow(link, [Buffer.from('now')], (chunk) => {
      first += Buffer.from(chunk).toString();
      return first.length >= 3;
    });
    expect(first).toBe('now');
    let rest = '';
    link.on('data', (data) => {
      rest += data;
    });
    link.end('later');
    await once(link, 'end');
    expect(rest).toBe('laterbye');
  });

  it('ends when the other end leaves without an answer', async () => {
    await listen(`socket.on('data', () => socket.destroy());`);
    const link = connect(path);
    const chunks: Uint8Array[] = [];
    exchangeNow(link, [Buffer.from('x')], (chunk) => chunks.push(chunk) > 100);
    expect(chunks).toEqual([]);
    link.destroy();
  });

  it('asks nothing where nobody listens: the error comes as an event', async () => {
    const link = connect(path);
    const failed = once(link, 'error');
    exchangeNow(link, [Buffer.from('x')], () => {
      throw new Error('an answer of nobody');
    });
    expect((await failed)[0]).toMatchObject({ code: 'ENOENT' });
  });
});
