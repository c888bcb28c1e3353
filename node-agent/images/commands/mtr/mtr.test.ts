/** mtr's reports, against those of mtr 0.95 for the same path. */
import { afterAll, describe, expect, it } from 'vitest';
import type { PingOptions, PingOutcome, PodNetwork } from '../../../../shared/podnet/pod-network.ts';
import { podPair, RIGHT_ADDRESS } from '../../../../shared/podnet/pod-pair.testkit.ts';
import { startTestContainer } from '../../container.testkit.ts';
import { utility } from '../../coreutils/utility.ts';
import { serveFakeDns } from '../dns/fake-dns-server.testkit.ts';
import { Hop } from './hop.ts';
import { mtr } from './mtr.ts';
import { csvText, jsonText, type Report, STANDARD_FIELDS, tableText } from './report.ts';

const pair = podPair();
await serveFakeDns(pair.right, { records: [] });
afterAll(() => pair.close());

function hop(address: string | undefined, ...rttsMs: (number | undefined)[]): Hop {
  const made = new Hop();
  for (const rttMs of rttsMs) {
    made.sent += 1;
    if (rttMs !== undefined) made.answered(address ?? '', rttMs);
  }
  return made;
}

function report(...hops: readonly [host: string, hop: Hop][]): Report {
  return {
    startedMs: Date.UTC(2026, 10, 29, 6, 28, 53),
    source: 'vm',
    target: '10.244.2.77',
    cycles: 2,
    packetBytes: 64,
    fields: STANDARD_FIELDS,
    hops: hops.map(([host, each], at) => ({ number: at + 1, host, hop: each })),
  };
}

describe('reports of mtr', () => {
  const late = report(
    ['10.244.1.1', hop('10.244.1.1', 0.1, 0.1)],
    ['10.244.2.0', hop('10.244.2.0', 0.2, 0.1)],
    ['10.244.2.0', hop('10.244.2.0', undefined, 3064.1)],
  );

  it('has columns of fixed places, in which long numbers are cut', () => {
    expect(tableText(late, false)).toBe(
      `Start: 2026-11-29T06:28:53+0000
HOST: vm                          Loss%   Snt   Last   Avg  Best  Wrst StDev
  1.|-- 10.244.1.1                 0.0%     2    0.1   0.1   0.1   0.1   0.0
  2.|-- 10.244.2.0                 0.0%     2    0.1   0.2   0.1   0.2   0.1
  3.|-- 10.244.2.0                50.0%     2  3064. 3064. 3064. 3064.   0.0
`,
    );
    const silent = report(['???', hop(undefined, undefined, undefined)]);
    expect(tableText(silent, false).split('\n')[2]).toBe(
      '  1.|-- ???                       100.0     2    0.0   0.0   0.0   0.0   0.0',
    );
  });

  it('is as narrow as its names with -w', () => {
    expect(tableText(late, true).split('\n').slice(1, 3)).toEqual([
      'HOST: vm         Loss%   Snt   Last   Avg  Best  Wrst StDev',
      '  1.|-- 10.244.1.1  0.0%     2    0.1   0.1   0.1   0.1   0.0',
    ]);
  });

  it('shows the fields of -o', () => {
    const text = tableText({ ...report(['10.244.1.1', hop('', 0.1)]), fields: 'LSD NBAW JMXI' }, false);
    expect(text.split('\n').slice(1)).toEqual([
      'HOST: vm                          Loss%   Snt Drop   Last  Best   Avg  Wrst  Jttr Javg Jmax Jint',
      '  1.|-- 10.244.1.1                 0.0%     1    0    0.1   0.1   0.1   0.1   0.0  0.0  0.0  0.0',
      '',
    ]);
  });

  it('is JSON with -j', () => {
    const text = jsonText(report(['10.244.1.1', hop('', 0.062, 0.098)]));
    expect(JSON.parse(text)).toEqual({
      report: {
        mtr: { src: 'vm', dst: '10.244.2.77', tos: 0, tests: 2, psize: '64', bitpattern: '0x00' },
        hubs: [
          {
            count: 1,
            host: '10.244.1.1',
            'Loss%': 0,
            Snt: 2,
            Last: 0.098,
            Avg: 0.08,
            Best: 0.062,
            Wrst: 0.098,
            StDev: 0.025,
          },
        ],
      },
    });
    expect(text).toContain(
      '        "hubs": [\n            {\n                "count": 1,\n                "host": "10.244.1.1",\n                "Loss%": 0.0,\n',
    );
  });

  it('is a table of commas with -C', () => {
    expect(csvText(report(['10.244.1.1', hop('', 0.09, 0.05)]))).toBe(
      'Mtr_Version,Start_Time,Status,Host,Hop,Ip,Loss%,Snt, ,Last,Avg,Best,Wrst,StDev,\n' +
        'MTR.0.95,1795933733,OK,10.244.2.77,1,10.244.1.1,0.00,2,0,0.05,0.07,0.05,0.09,0.03\n',
    );
  });
});

describe('mtr', () => {
  function container(hopOf: (ttl: number, options: PingOptions) => PingOutcome) {
    const network: PodNetwork = {
      ...pair.left,
      bindUdp: (options) => pair.left.bindUdp(options),
      ping: async (options) => hopOf(options.ttl ?? 64, options),
    };
    return startTestContainer({
      network,
      programs: { mtr: utility('mtr', mtr) },
      resolvConf: `nameserver ${RIGHT_ADDRESS}\n`,
    });
  }

  const reply = (options: PingOptions): PingOutcome => ({
    kind: 'reply',
    from: options.address,
    reply: { sequence: options.sequence ?? 0, bytes: 44, ttl: 62, rttMs: 0.5 },
  });

  it('asks each hop as often as -c says, and none behind the target', async () => {
    const asked: number[] = [];
    const { stdout, code } = await container((ttl, options) => {
      asked.push(ttl);
      if (ttl >= 3) return reply(options);
      return ttl === 2 ? { kind: 'timeout' } : { kind: 'time-exceeded', from: '10.244.1.1' };
    }).run(['mtr', '-n', '-r', '-c', '3', '-i', '0.01', '10.244.2.5']);
    expect(asked).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
    expect(
      stdout
        .split('\n')
        .slice(2)
        .map((line) => line.slice(0, 45)),
    ).toEqual([
      '  1.|-- 10.244.1.1                 0.0%     3',
      '  2.|-- ???                       100.0     3',
      '  3.|-- 10.244.2.5                 0.0%     3',
      '',
    ]);
    expect(code).toBe(0);
  });

  it('goes no further than a router that refuses, nor beyond -m', async () => {
    const refused = container(() => ({ kind: 'unreachable', from: '10.244.1.1', code: 13 }));
    const { stdout } = await refused.run(['mtr', '-n', '-w', '-c', '1', '10.244.2.5']);
    expect(stdout.split('\n')).toHaveLength(4);
    const endless = container((ttl) => ({ kind: 'time-exceeded', from: `10.0.0.${ttl}` }));
    const limited = await endless.run(['mtr', '-n', '-r', '-c', '1', '-m', '2', '10.244.2.5']);
    expect(limited.stdout.split('\n')).toHaveLength(5);
  });

  it('begins at the first hop at least, and at -m at most', async () => {
    const far = container((ttl) => ({ kind: 'time-exceeded', from: `10.0.0.${ttl}` }));
    const hopsOf = async (...words: string[]) => {
      const { stdout } = await far.run(['mtr', '-n', '-r', '-c', '1', '-m', '2', ...words, '10.244.2.5']);
      return [...stdout.matchAll(/^ +(\d+)\./gm)].map(([, hop]) => Number(hop));
    };
    expect(await hopsOf('-f', '0')).toEqual([1, 2]);
    expect(await hopsOf('-f', '40')).toEqual([2]);
    expect(await hopsOf('-m', '0')).toEqual([1]);
  });

  it('sends SYNs with -T and datagrams with -u', async () => {
    const ways: unknown[] = [];
    const listening = container((_ttl, options) => {
      ways.push([options.via, options.port]);
      return reply(options);
    });
    await listening.run(['mtr', '-n', '-r', '-c', '1', '-T', '-P', '443', '10.244.2.5']);
    await listening.run(['mtr', '-n', '-r', '-c', '1', '-u', '10.244.2.5']);
    expect(ways).toEqual([
      ['tcp', 443],
      ['udp', 33434],
    ]);
  });

  it.each([
    [['mtr', '-r', '-n', '-c', '1', 'nosuch'], 'mtr: Failed to resolve host: nosuch: Name or service not known\n', 0],
    [['mtr', '-r', '-o', 'LQ', '10.244.2.5'], 'mtr: Unknown field identifier: Q\n', 1],
    [['mtr', '-r', '-c', '1.5', '10.244.2.5'], "mtr: invalid argument: '1.5'\n", 1],
    [['mtr', '-r', '-c', '9999999999', '10.244.2.5'], "mtr: invalid argument: '9999999999'\n", 1],
    [['mtr', '-r', '-i', '0', '10.244.2.5'], 'mtr: wait time must be positive\n', 1],
    [['mtr', '-r', '-u', '-P', '70000', '10.244.2.5'], 'mtr: Illegal port number: 70000\n', 1],
    [['mtr', '-r', '-s', '70000', '10.244.2.5'], 'mtr: mtr-packet reported invalid argument\n', 1],
    [['mtr', '10.244.2.5'], 'mtr: podwire: reports are printed here: say -r, -w, -j or -C\n', 1],
  ])('%j', async (command, stderr, code) => {
    expect(await container((_ttl, options) => reply(options)).run(command)).toEqual({ stdout: '', stderr, code });
  });
});
