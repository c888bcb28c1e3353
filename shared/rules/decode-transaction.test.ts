import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../wire/ip-address.ts';
import { RulesDecodeError } from './decode-error.ts';
import { decodeRulesReply, decodeTransaction } from './decode-transaction.ts';
import { encodeTransaction } from './encode-transaction.ts';
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

describe('a transaction for ip6tables', () => {
  const network = { address: parseAddress('fd00:10:244::')!, prefixLength: 56 };
  const ipv6: RulesTransaction = {
    owner: 'kube-proxy',
    family: 'ipv6',
    bootId: 'b',
    base: null,
    tables: {
      nat: {
        set: {
          A: [
            { source: { ...network, negated: true }, target: { kind: 'reject', with: 'icmp6-port-unreachable' } },
            { target: { kind: 'dnat', address: parseAddress('fd00:10:244:1::5')!, port: 80 } },
          ],
        },
        hooks: [{ chain: 'OUTPUT', position: 'first', rule: { destination: network, target: jump('A') } }],
      },
    },
    forget: [{ protocol: 'udp', originalDestination: parseAddress('fd00:10:96::a')! }],
  };

  it('names addresses by text, which the reader has numbers of its own for', () => {
    const sent = JSON.stringify(encodeTransaction(ipv6));
    for (const text of ['fd00:10:244::', 'fd00:10:244:1::5', 'fd00:10:96::a']) expect(sent).toContain(`"${text}"`);
    expect(decodeTransaction(JSON.parse(sent))).toEqual(ipv6);
  });

  it('names no address by the number it has in the sender', () => {
    expect(() => decodeTransaction(JSON.parse(JSON.stringify(ipv6)))).toThrow(
      /expected an address that a host can have/,
    );
  });
});

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
