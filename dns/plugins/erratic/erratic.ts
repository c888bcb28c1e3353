/** A name server that misbehaves: for trying what clients do when answers are late, cut short or missing. */
import type { Directive } from '../../corefile.ts';
import { durationWord, expectWords, integerWord, unknownProperty } from '../../directive.ts';
import { emptyReply, type Reply, type ResourceRecord } from '../../message.ts';
import type { PluginSetup, Query } from '../../plugin.ts';

interface ErraticOptions {
  /** Every so many queries; 0: never. */
  readonly drop: number;
  readonly truncate: number;
  readonly delay: number;
  readonly delayMs: number;
  readonly large: boolean;
}

const AMOUNT = 2;
const MOST = 1_000_000;
const DELAY_MS = 100;
const LARGE_RECORDS = 30;
const ADDRESS_V4 = '192.0.2.53';
const ADDRESS_V6 = '2001:db8::53';

export const setupErratic: PluginSetup = (directive, { clock }) => {
  expectWords(directive, 0, 0, 'no argument');
  const lines = directive.block ?? [];
  let options: ErraticOptions = { drop: 0, truncate: 0, delay: 0, delayMs: DELAY_MS, large: false };
  if (lines.length === 0) options = { ...options, drop: AMOUNT };
  for (const line of lines) options = { ...options, ...readProperty(line) };
  let queries = 0;
  return {
    handler: () => async (query) => {
      queries++;
      const isTurn = (every: number): boolean => every > 0 && queries % every === 0;
      const [late, cut, lost] = [isTurn(options.delay), isTurn(options.truncate), isTurn(options.drop)];
      if (late) await clock.sleep(options.delayMs);
      if (lost) return { ...emptyReply('REFUSED'), dropped: true };
      const reply = replyTo(query, options);
      return cut ? { ...reply, truncated: true } : reply;
    },
  };
};

function readProperty(line: Directive): Partial<ErraticOptions> {
  const amount = (): number => (line.words.length === 0 ? AMOUNT : integerWord(line, 0, 0, MOST));
  switch (line.name) {
    case 'drop':
    case 'truncate':
      expectWords(line, 0, 1, '[AMOUNT]');
      return { [line.name]: amount() };
    case 'delay':
      expectWords(line, 0, 2, '[AMOUNT [DURATION]]');
      return { delay: amount(), delayMs: line.words[1] === undefined ? DELAY_MS : durationWord(line, 1) };
    case 'large':
      expectWords(line, 0, 0, 'no argument');
      return { large: true };
    default:
      throw unknownProperty(line, ['delay', 'drop', 'large', 'truncate']);
  }
}

function replyTo({ question: { name, type } }: Query, { large }: ErraticOptions): Reply {
  if (type !== 'A' && type !== 'AAAA') return emptyReply('SERVFAIL');
  const record: ResourceRecord = { type, name, ttl: 0, data: type === 'A' ? ADDRESS_V4 : ADDRESS_V6 };
  const answers = Array.from({ length: large ? LARGE_RECORDS : 1 }, () => record);
  return { ...emptyReply('NOERROR', true), answers };
}
