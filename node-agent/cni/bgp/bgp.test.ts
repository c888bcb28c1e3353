import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIpv4, parseIpv4Prefix } from '../../../shared/wire/address.ts';
import { isLoop, learnedAttributes, ownAttributes } from './advertise.ts';
import { BgpError, type BgpMessage, decodeMessage, encodeMessage, messageLength } from './message.ts';
import { BgpRoutes } from './routes.ts';
import { BgpSession, type SessionEvent } from './session.ts';

const prefix = (text: string) => parseIpv4Prefix(text)!;
const ip = (text: string) => parseIpv4(text)!;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const MARKER = 'ff'.repeat(16);

const attributes = { origin: 0, asPath: [], nextHop: ip('192.168.1.10'), localPreference: 100 } as const;

describe('messages', () => {
  it.each<[string, BgpMessage, string]>([
    ['KEEPALIVE', { kind: 'keepalive' }, '001304'],
    ['NOTIFICATION: hold timer expired', { kind: 'notification', code: 4, subcode: 0 }, '0015030400'],
    [
      'OPEN of AS 64512',
      { kind: 'open', as: 64_512, holdTimeSeconds: 90, identifier: ip('192.168.1.10') },
      '002b0104fc00005ac0a8010a0e020c0104000100014104' + '0000fc00',
    ],
    [
      'UPDATE: a /26 through 192.168.1.10',
      { kind: 'update', withdrawn: [], reachable: [prefix('10.244.1.0/26')], attributes },
      '00310200000015' + '40010100' + '400200' + '400304c0a8010a' + '40050400000064' + '1a0af40100',
    ],
    [
      'UPDATE: a /26 and a /16 withdrawn',
      {
        kind: 'update',
        withdrawn: [prefix('10.244.1.64/26'), prefix('10.9.0.0/16')],
        reachable: [],
        attributes: undefined,
      },
      '001f0200081a0af40140100a090000',
    ],
    [
      'UPDATE: reflected',
      {
        kind: 'update',
        withdrawn: [],
        reachable: [prefix('10.244.1.0/26')],
        attributes: {
          ...attributes,
          originatorId: ip('192.168.1.11'),
          clusterList: [ip('244.0.0.2'), ip('244.0.0.1')],
        },
      },
      '00430200000027' +
        '40010100' +
        '400200' +
        '400304c0a8010a' +
        '40050400000064' +
        '800904c0a8010b' +
        '800a08f4000002f4000001' +
        '1a0af40100',
    ],
  ])('%s', (_, message, body) => {
    const bytes = encodeMessage(message);
    expect(hex(bytes)).toBe(MARKER + body);
    expect(messageLength(bytes)).toBe(bytes.length);
    expect(decodeMessage(bytes)).toEqual(message);
  });

  it('four-octet AS numbers stand in the capability', () => {
    const open = { kind: 'open', as: 4_200_000_000, holdTimeSeconds: 0, identifier: 7 } as const;
    const bytes = encodeMessage(open);
    expect(hex(bytes.subarray(20, 22))).toBe('5ba0'); // AS_TRANS
    expect(decodeMessage(bytes)).toEqual(open);
  });

  it('whatever comes is a message or an error of the protocol', () => {
    const bodies = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.uint8Array({ maxLength: 80 }));
    fc.assert(
      fc.property(bodies, ([type, body]) => {
        const bytes = new Uint8Array([...new Array(16).fill(0xff), 0, 19 + body.length, type, ...body]);
        try {
          decodeMessage(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(BgpError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a broken header is told apart', () => {
    expect(messageLength(new Uint8Array(18))).toBeUndefined();
    expect(() => messageLength(new Uint8Array(19))).toThrow(BgpError);
    expect(() => messageLength(encodeMessage({ kind: 'keepalive' }).fill(0xff))).toThrow('a length of 65535');
  });
});

describe('session', () => {
  const options = { localAs: 64_512, peerAs: 64_512, identifier: 2, holdTimeSeconds: 90, connects: true };
  const open = { kind: 'open', as: 64_512, holdTimeSeconds: 30, identifier: 1 } as const;
  const up: SessionEvent[] = [
    { kind: 'start' },
    { kind: 'connected' },
    { kind: 'message', message: open },
    { kind: 'message', message: { kind: 'keepalive' } },
  ];
  const historyOf = (events: readonly SessionEvent[]) => {
    const session = new BgpSession(options);
    const actions = events.map((event) => session.handle(event));
    return { session, last: actions.at(-1) ?? [] };
  };

  it('goes from Idle to Established', () => {
    const states = up.map((_, i) => historyOf(up.slice(0, i + 1)).session.state);
    expect(states).toEqual(['Connect', 'OpenSent', 'OpenConfirm', 'Established']);
  });

  it('agrees on the smaller hold time, and keeps alive three times in it', () => {
    const { session, last } = historyOf(up.slice(0, 3));
    expect(session.holdTimeSeconds).toBe(30);
    expect(last).toContainEqual({ kind: 'timer', timer: 'hold', afterMs: 30_000 });
    expect(last).toContainEqual({ kind: 'timer', timer: 'keepalive', afterMs: 10_000 });
  });

  it('a silent peer is given up with a NOTIFICATION, and its routes go', () => {
    const { session, last } = historyOf([...up, { kind: 'hold-timer' }]);
    expect(last.slice(0, 2)).toEqual([
      { kind: 'send', message: { kind: 'notification', code: 4, subcode: 0 } },
      { kind: 'down' },
    ]);
    expect(session.state).toBe('Idle');
    expect(session.lastError).toBe('Hold timer expired');
  });

  it.each<[string, BgpMessage, { code: number; subcode: number }]>([
    ['another AS', { ...open, as: 1 }, { code: 2, subcode: 2 }],
    ['our own identifier', { ...open, identifier: 2 }, { code: 2, subcode: 3 }],
    ['a hold time of 2 s', { ...open, holdTimeSeconds: 2 }, { code: 2, subcode: 6 }],
    [
      'an UPDATE before OPEN',
      { kind: 'update', withdrawn: [], reachable: [], attributes: undefined },
      { code: 5, subcode: 0 },
    ],
  ])('refuses %s', (_, message, error) => {
    const { session, last } = historyOf([...up.slice(0, 2), { kind: 'message', message }]);
    expect(last[0]).toEqual({ kind: 'send', message: { kind: 'notification', ...error } });
    expect(session.state).toBe('Idle');
  });

  it('whatever happens, it is in a state from which it comes up again', () => {
    const event = fc.constantFrom<SessionEvent>(
      ...up,
      { kind: 'disconnected' },
      { kind: 'hold-timer' },
      { kind: 'keepalive-timer' },
      { kind: 'retry-timer' },
      { kind: 'message', message: { kind: 'notification', code: 6, subcode: 2 } },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), (events) => {
        const session = new BgpSession(options);
        for (const one of [...events, { kind: 'disconnected' }, { kind: 'retry-timer' }] as const) session.handle(one);
        for (const one of up) session.handle(one);
        expect(session.state).toBe('Established');
      }),
    );
  });
});

describe('who is told', () => {
  const AS = 64_512;
  const reflector = { as: AS, address: ip('192.168.1.12'), clusterId: ip('244.0.0.1') };
  const client = { as: AS, isClient: true };
  const peer = { as: AS, isClient: false };
  const router = { as: 65_000, isClient: false };
  const route = {
    prefix: prefix('10.244.1.0/26'),
    attributes,
    from: 7,
    peerIdentifier: ip('192.168.1.11'),
    sinceUs: 0,
  };

  it.each([
    ['client to client', client, client, true],
    ['client to non-client', client, peer, true],
    ['non-client to client', peer, client, true],
    ['non-client to non-client', peer, peer, false],
  ])('a reflector: %s', (_, from, to, isTold) => {
    const told = learnedAttributes(reflector, route, from, to);
    expect(told).toEqual(
      isTold ? { ...attributes, originatorId: ip('192.168.1.11'), clusterList: [ip('244.0.0.1')] } : undefined,
    );
    expect(learnedAttributes({ ...reflector, clusterId: undefined }, route, from, to)).toBeUndefined();
  });

  it('a second reflector keeps the originator, and puts its cluster in front', () => {
    const once = { ...route, attributes: learnedAttributes(reflector, route, client, peer)! };
    const second = { ...reflector, clusterId: ip('244.0.0.2') };
    expect(learnedAttributes(second, once, peer, client)).toMatchObject({
      originatorId: ip('192.168.1.11'),
      clusterList: [ip('244.0.0.2'), ip('244.0.0.1')],
    });
  });

  it('another AS sees this one in front of the path, and the way through here', () => {
    expect(ownAttributes(reflector, router)).toMatchObject({ asPath: [AS], localPreference: undefined });
    expect(learnedAttributes(reflector, route, peer, router)).toMatchObject({
      asPath: [AS],
      nextHop: reflector.address,
      localPreference: undefined,
    });
    const outside = { ...route, attributes: { ...attributes, asPath: [65_000], localPreference: undefined } };
    expect(learnedAttributes(reflector, outside, router, peer)).toMatchObject({
      asPath: [65_000],
      localPreference: 100,
    });
  });

  it.each([
    ['its own AS', { asPath: [1, AS] }],
    ['itself as the originator', { originatorId: reflector.address }],
    ['its own cluster', { clusterList: [1, reflector.clusterId] }],
  ])('what comes round with %s is a loop', (_, more) => {
    expect(isLoop(reflector, { ...attributes, ...more })).toBe(true);
    expect(isLoop(reflector, { ...attributes, originatorId: 1, clusterList: [1] })).toBe(false);
  });
});

describe('routes', () => {
  const block = prefix('10.244.1.0/26');
  const announce = { kind: 'update', withdrawn: [], reachable: [block], attributes } as const;
  const peer = (number: number) => ({ from: number, peerIdentifier: number });
  const withdraw = { kind: 'update', withdrawn: [block], reachable: [], attributes: undefined } as const;

  it('the best of several stays until it is withdrawn', () => {
    const routes = new BgpRoutes();
    expect(routes.update(peer(20), announce, 0)).toMatchObject([{ best: { from: 20 } }]);
    expect(routes.update(peer(10), announce, 0)).toMatchObject([{ best: { from: 10 } }]);
    const preferred = { ...announce, attributes: { ...attributes, localPreference: 200 } };
    expect(routes.update(peer(30), preferred, 0)).toMatchObject([{ best: { from: 30 } }]);
    expect(routes.update(peer(20), withdraw, 0)).toEqual([]);
    expect(routes.forget(30)).toMatchObject([{ best: { from: 10 } }]);
    expect(routes.update(peer(10), withdraw, 0)).toMatchObject([{ best: undefined }]);
    expect([10, 20, 30].map((peer) => routes.countOf(peer))).toEqual([0, 0, 0]);
  });
});
