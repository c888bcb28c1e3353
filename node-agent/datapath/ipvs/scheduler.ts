/**
 * IPVS' schedulers: which real server gets the next connection (ipvsadm(8), option -s). A scheduler is made anew when the
 * servers of its virtual server change.
 */
import type { Scheduler } from '../../../shared/rules/ipvs.ts';
import { maglevTable } from '../maglev.ts';
import type { RealServer } from './real-server.ts';

/** Addresses are uint32; null when no server has a weight. */
export type Schedule = (client: number, service: number) => RealServer | null;

type Servers = readonly RealServer[];

/** ip_vs_sh.c, ip_vs_dh.c: IP_VS_SH_BITS. */
const HASH_BUCKETS = 256;
/** ip_vs_mh.c: the prime of CONFIG_IP_VS_MH_TAB_INDEX=12. */
const MAGLEV_SIZE = 4093;

const makers: Readonly<Record<Scheduler, (servers: Servers) => Schedule>> = {
  rr: roundRobin,
  wrr: weightedRoundRobin,
  lc: (servers) => least(servers, ({ overhead }) => overhead),
  wlc: (servers) => least(servers, ({ overhead, weight }) => overhead / weight),
  sed: (servers) => least(servers, ({ active, weight }) => (active + 1) / weight),
  nq: neverQueue,
  sh: (servers) => hashed(servers, (client) => client),
  dh: (servers) => hashed(servers, (_client, service) => service),
  mh: maglev,
};

export function makeSchedule(scheduler: Scheduler, servers: Servers): Schedule {
  return makers[scheduler](servers.filter(({ weight }) => weight > 0));
}

function roundRobin(servers: Servers): Schedule {
  let next = 0;
  return () => (servers.length === 0 ? null : servers[next++ % servers.length]!);
}

/** ip_vs_wrr.c: a limit falls from the largest weight in steps of the common divisor; who reaches it has its turn. */
function weightedRoundRobin(servers: Servers): Schedule {
  const largest = Math.max(0, ...servers.map(({ weight }) => weight));
  const step = servers.reduce((divisor, { weight }) => commonDivisor(divisor, weight), 0);
  let limit = 0;
  let at = -1;
  return () => {
    if (servers.length === 0) return null;
    for (;;) {
      at = (at + 1) % servers.length;
      if (at === 0) limit = limit <= step ? largest : limit - step;
      if (servers[at]!.weight >= limit) return servers[at]!;
    }
  };
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** The first of those with the least cost. */
function least(servers: Servers, cost: (server: RealServer) => number): Schedule {
  return () => {
    let best: RealServer | null = null;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const server of servers) {
      const its = cost(server);
      if (its < bestCost) {
        best = server;
        bestCost = its;
      }
    }
    return best;
  };
}

/** Who is idle first, else as `sed`. */
function neverQueue(servers: Servers): Schedule {
  const shortest = makers.sed(servers);
  return (client, service) => servers.find(({ active }) => active === 0) ?? shortest(client, service);
}

/** A table of buckets that the servers fill in turns, each as often as its weight says. */
function hashed(servers: Servers, of: (client: number, service: number) => number): Schedule {
  const turns = servers.flatMap((server) => new Array<RealServer>(server.weight).fill(server));
  return (client, service) => {
    if (turns.length === 0) return null;
    const bucket = Math.imul(of(client, service), 0x9e37_79b1) >>> 24;
    return turns[(bucket % HASH_BUCKETS) % turns.length]!;
  };
}

function maglev(servers: Servers): Schedule {
  const table = maglevTable(servers, MAGLEV_SIZE);
  return (client) => {
    if (table.length === 0) return null;
    const hash = Math.imul(client ^ (client >>> 15), 0x85eb_ca6b) >>> 0;
    return servers[table[hash % MAGLEV_SIZE]!]!;
  };
}
