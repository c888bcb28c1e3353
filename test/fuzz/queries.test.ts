/**
 * Mutated questions to CoreDNS: nothing throws, every answer is a whole message of the right size, nothing grows.
 *
 * A quick run stands in the normal suite; `PODWIRE_FUZZ_QUERIES=10000000 npx vitest run test/fuzz/queries.test.ts` is the long one,
 * and `PODWIRE_SEED` repeats a run.
 */
import { describe, expect, it } from 'vitest';
import { COREFILE, testServer } from '../../dns/server.testkit.ts';
import { respond } from '../../dns/transport.ts';
import { queryBytes } from '../flow/dns/dns-cluster.testkit.ts';
import { rows } from '../flow/dns/dns-rows.testkit.ts';
import { heldBytes } from './held-bytes.testkit.ts';
import { Mutator } from './mutator.testkit.ts';

const QUICK_QUERIES = 30_000;
const QUERIES = Number(process.env.PODWIRE_FUZZ_QUERIES ?? QUICK_QUERIES);
const SEED = Number(process.env.PODWIRE_SEED ?? 1);
const LIMIT_MS = 60_000 + QUERIES;
const MEBIBYTE = 1024 * 1024;
/** The cache's tables fill up to their bounds. */
const MAX_GROWTH_BYTES = 32 * MEBIBYTE;
const AT_A_TIME = 64;
const TURN_MS = 100;
const REMOTE = { address: '10.244.1.9', port: 40_000 };

/** The default Corefile, with plugins that change questions and answers. */
const corefile = COREFILE.replace(/ {4}(health|ready|prometheus|reload)[^\n{]*(\{[^}]*\})?\n/g, '')
  .replace(
    '    forward',
    '    local\n    nsid\n    minimal\n    rewrite name suffix .lab.test .default.svc.cluster.local answer auto\n    forward',
  )
  .replace('    loop\n', '');

/** Throws when the bytes are no whole message: every name, record and count is where it should be. */
function checkMessage(bytes: Buffer): void {
  let at = 12;
  const name = (): void => {
    for (let length = 0, from = at; ; from = at) {
      const byte = bytes[at];
      if (byte === undefined) throw new Error('a name is cut');
      if (byte >= 0xc0) {
        const target = bytes.readUInt16BE(at) & 0x3fff;
        if (target >= from || target < 12) throw new Error(`a pointer at ${at} leads to ${target}`);
        at += 2;
        return;
      }
      if (byte > 63) throw new Error(`a label of ${byte}`);
      length += byte + 1;
      if (length > 255) throw new Error('a name of more than 255 bytes');
      at += byte + 1;
      if (byte === 0) return;
    }
  };
  for (let left = bytes.readUInt16BE(4); left > 0; left--) {
    name();
    at += 4;
  }
  for (let left = bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10); left > 0; left--) {
    name();
    at += 10 + bytes.readUInt16BE(at + 8);
  }
  if (at !== bytes.length) throw new Error(`${bytes.length} bytes, but its records end at ${at}`);
}

/** Whether there is an answer. `expect` would take most of the time. */
function checkAnswer(query: Uint8Array, answers: readonly Uint8Array[], transport: 'udp' | 'tcp'): boolean {
  const [answer] = answers;
  if (answer === undefined) {
    if (query.length < 12 || ((query[2] as number) & 0x80) !== 0) return false;
    throw new Error('a query without an answer');
  }
  const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.length);
  if (answers.length > 1) throw new Error(`${answers.length} answers`);
  if (bytes.length > (transport === 'udp' ? 1232 : 65_535)) throw new Error(`an answer of ${bytes.length} bytes`);
  if (bytes[0] !== query[0] || bytes[1] !== query[1]) throw new Error('an answer to another question');
  if (((bytes[2] as number) & 0x80) === 0) throw new Error('an answer that looks like a question');
  checkMessage(bytes);
  return true;
}

describe(`mutated questions (PODWIRE_SEED=${SEED})`, () => {
  it(
    'are answered with whole messages, or not at all',
    async () => {
      const server = await testServer({ corefile });
      const originals = rows.flatMap(([name, type]) => [
        queryBytes(name, type),
        queryBytes(name, type, { payloadBytes: 1232 }),
      ]);
      const mutator = new Mutator(originals, undefined, SEED);
      let answered = 0;
      const one = async (number: number): Promise<void> => {
        const query = mutator.next();
        const transport = number % 8 === 0 ? 'tcp' : 'udp';
        try {
          const answers = await respond(query, REMOTE, transport, (asked) => server.blocks.answer(53, asked));
          if (checkAnswer(query, answers, transport)) answered++;
        } catch (error) {
          throw new Error(`question ${number}: ${Buffer.from(query).toString('hex')}`, { cause: error });
        }
      };
      const run = async (from: number, to: number): Promise<void> => {
        for (let number = from; number < to; number += AT_A_TIME) {
          await Promise.all(Array.from({ length: Math.min(AT_A_TIME, to - number) }, (_, more) => one(number + more)));
          await server.clock.advance(TURN_MS);
          server.lines.length = 0;
        }
      };
      const beganMs = performance.now();
      await run(0, QUERIES / 2);
      const before = heldBytes();
      await run(QUERIES / 2, QUERIES);
      const after = heldBytes();
      expect(after - before).toBeLessThan(MAX_GROWTH_BYTES);
      expect(answered).toBeGreaterThan(QUERIES / 2);
      if (QUERIES !== QUICK_QUERIES) {
        const seconds = (performance.now() - beganMs) / 1000;
        const mebibytes = (held: number): number => Math.round(held / MEBIBYTE);
        console.log(
          `${QUERIES} questions, ${answered} answers, ${seconds.toFixed(1)} s, held ${mebibytes(before)} -> ${mebibytes(after)} MiB`,
        );
      }
    },
    LIMIT_MS,
  );
});
