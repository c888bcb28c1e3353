import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RulesDecodeError } from './decode-error.ts';
import { decodeRulesReply, decodeTransaction } from './decode-transaction.ts';
import { destinationPort } from './match.ts';
import { jump } from './target.ts';
import type { RulesTransaction } from './transaction.ts';

const transaction: RulesTransaction = {
  owner: 'kube-proxy',
  bootId: 'b',
  base: 4,
  tables: {
    nat: {
      set: {
        'KUBE-SERVICES': [
          {
            source: { address: 1, prefixLength: 24, negated: true },
            protocol: { name: 'tcp' },
            matches: [
              destinationPort('tcp', 80),
              { kind: 'physdev', test: { kind: 'is-bridged' } },
              { kind: 'multiport', side: 'destination', ports: [{ first: 1, last: 2 }] },
            ],
            target: jump('KUBE-SVC'),
          },
        ],
        'KUBE-SVC': [{ target: { kind: 'dnat', address: 3, port: 8080 } }],
      },
      delete: ['KUBE-SEP'],
      hooks: [{ chain: 'OUTPUT', position: 'last', rule: { target: { kind: 'masquerade' } } }],
    },
  },
  forget: [
    { protocol: 'udp', originalDestination: 9, originalDestinationPort: 53 },
    { protocol: 'udp', replySource: 7 },
  ],
};

describe('decodeTransaction', () => {
  it('gives back what was sent as JSON', () => {
    const sent: unknown = JSON.parse(JSON.stringify(transaction));
    expect(JSON.parse(JSON.stringify(decodeTransaction(sent)))).toEqual(sent);
  });

  it.each<[string, unknown, string]>([
    ['no object', 7, 'transaction: expected an object, found 7'],
    ['no owner', { ...transaction, owner: undefined }, 'transaction.owner: expected a text'],
    ['a negative base', { ...transaction, base: -1 }, 'transaction.base: expected an integer'],
    ['an unknown table', { ...transaction, tables: { raw: {} } }, 'transaction.tables.raw: expected a table of'],
    [
      'an unknown match',
      { ...transaction, tables: { nat: { set: { A: [{ matches: [{ kind: 'u32' }] }] } } } },
      'transaction.tables.nat.set.A[0].matches[0].kind: expected one of tcp',
    ],
    [
      'an inverted range',
      {
        ...transaction,
        tables: { nat: { set: { A: [{ matches: [{ kind: 'tcp', source: { first: 9, last: 3 } }] }] } } },
      },
      'source.last: expected an integer from 9 to 65535, found 3',
    ],
    [
      'a hook into a user chain',
      { ...transaction, tables: { nat: { hooks: [{ chain: 'FORWARD', position: 'last', rule: {} }] } } },
      'hooks[0].chain: expected one of PREROUTING, INPUT, OUTPUT, POSTROUTING, found "FORWARD"',
    ],
  ])('refuses %s, saying where', (_, value, message) => {
    expect(() => decodeTransaction(value)).toThrow(RulesDecodeError);
    expect(() => decodeTransaction(value)).toThrow(message);
  });

  it('throws nothing but RulesDecodeError, whatever comes', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        for (const candidate of [value, { ...transaction, tables: { nat: { set: { A: [value] } } } }]) {
          try {
            decodeTransaction(candidate);
          } catch (error) {
            expect(error).toBeInstanceOf(RulesDecodeError);
          }
        }
      }),
      { verbose: true },
    );
  });
});

describe('decodeRulesReply', () => {
  it.each([
    { kind: 'applied', bootId: 'b', generation: 2 },
    { kind: 'resync', bootId: 'b', reason: 'rebooted' },
    { kind: 'invalid', bootId: 'b', problems: [{ where: 'nat A', message: 'm' }] },
  ])('takes $kind', (reply) => {
    expect(decodeRulesReply(reply)).toEqual(reply);
  });
});
