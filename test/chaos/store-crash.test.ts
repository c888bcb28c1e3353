/**
 * SIGKILL of apiservers and of nats-server at random under a load of creates, updates and deletes: the store then holds
 * what was acknowledged, revisions never went back, and watches saw every acknowledged change once and in order.
 *
 * `PODWIRE_STORE_KILLS=200` is the long form, `PODWIRE_SEED=N` another course.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../shared/runtime/random.ts';
import { freePort, startNatsServer, type TestNatsServer } from '../contract/nats-server.ts';
import { ApiProcess } from '../e2e/api-process.testkit.ts';
import { waitFor } from '../wait-for.ts';
import { type SeenChange, StoreWatcher } from './store-watcher.testkit.ts';
import { type Acknowledged, CONFIGMAPS_PATH, StoreWriter, versionIn } from './store-writer.testkit.ts';

const KILLS = Number(process.env.PODWIRE_STORE_KILLS ?? 12);
const SEED = Number(process.env.PODWIRE_SEED ?? 1);
const WRITERS = ['ada', 'bob', 'cyd', 'dan', 'eve'];
const WATCHERS = 3;
/** A server is killed after at most so many acknowledged writes of the load. */
const MAX_WRITES_BETWEEN_KILLS = 120;

let nats: TestNatsServer;
let folder: string;
let servers: ApiProcess[];

beforeAll(async () => {
  nats = await startNatsServer();
  folder = mkdtempSync(join(tmpdir(), 'podwire-crash-'));
  servers = [];
  for (let i = 0; i < 2; i++) {
    const environment = { PODWIRE_API_SERVER_NUMBER: String(i + 1) };
    const server = new ApiProcess({ nats, folder, port: await freePort(), environment });
    await server.start();
    servers.push(server);
  }
});
afterAll(async () => {
  for (const server of servers) await server.kill();
  await nats.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Kills one process and starts it again; sometimes in the middle of its start, sometimes beside another one. */
async function crash(random: Random, onKill: () => void): Promise<void> {
  const dice = random.next();
  const victims: { kill(): Promise<void>; start(): Promise<unknown> }[] = [];
  if (dice < 0.4 || dice > 0.9) victims.push(nats);
  if (dice >= 0.4 && dice < 0.95) victims.push(servers[random.integer(0, servers.length)] as ApiProcess);
  if (dice >= 0.95) victims.push(...servers);
  await Promise.all(victims.map((victim) => victim.kill()));
  onKill();
  const starting = victims.map((victim) => victim.start());
  const again = victims[0];
  if (again instanceof ApiProcess && random.next() < 0.3) {
    // Node needs some 100 ms to its first line, a whole start some 500.
    await new Promise((resolve) => setTimeout(resolve, random.integer(100, 500)));
    await again.kill();
    onKill();
    await Promise.all(starting);
    await again.start();
  } else await Promise.all(starting);
}

async function storedVersions(server: ApiProcess): Promise<Map<string, number>> {
  const { body } = await server.call('GET', CONFIGMAPS_PATH);
  const items: { metadata: { name: string }; data: unknown }[] = JSON.parse(body).items;
  const ours = items.filter(({ metadata }) => isOurs(metadata.name));
  return new Map(ours.map(({ metadata: { name }, data }) => [name, versionIn(name, data)]));
}

function isOurs(name: string): boolean {
  return WRITERS.some((writer) => name.startsWith(`${writer}-`));
}

/** What a watcher missed of one object's acknowledged changes, which come in the order of their answers. */
function missedChanges(acknowledged: readonly Acknowledged[], seen: readonly SeenChange[]): string[] {
  const missed: string[] = [];
  let position = 0;
  for (const change of acknowledged) {
    const found = seen.findIndex(
      ({ version, revision }, index) =>
        index >= position && version === change.version && (change.revision ?? revision) === revision,
    );
    if (found < 0) missed.push(`${change.name}: version ${change.version} at revision ${change.revision}`);
    else position = found + 1;
  }
  return missed;
}

function byName<T extends { readonly name: string }>(changes: readonly T[]): Map<string, T[]> {
  return Map.groupBy(changes, ({ name }) => name);
}

describe('the store', () => {
  it(
    `holds what was acknowledged after ${KILLS} kills (PODWIRE_SEED=${SEED})`,
    async () => {
      const random = seededRandom(SEED);
      const writers = WRITERS.map((name) => new StoreWriter(name, servers, seededRandom(random.integer(0, 2 ** 31))));
      const watchers = Array.from(
        { length: WATCHERS },
        () => new StoreWatcher(servers, seededRandom(random.integer(0, 2 ** 31)), isOurs),
      );
      for (const watcher of watchers) await watcher.begin();
      const writing = Promise.all(writers.map((writer) => writer.run()));
      const watching = Promise.all(watchers.map((watcher) => watcher.run()));
      const failed = Promise.race([writing, watching]);
      const count = () => writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
      let kills = 0;
      while (kills < KILLS) {
        const target = count() + random.integer(1, MAX_WRITES_BETWEEN_KILLS);
        await Promise.race([waitFor('writes to be acknowledged', () => count() >= target), failed]);
        await Promise.race([crash(random, () => kills++), failed]);
      }
      for (const writer of writers) writer.stop();
      await writing;

      const expected = new Map(writers.flatMap((writer) => [...writer.expected()]));
      for (const server of servers) expect(await storedVersions(server)).toEqual(expected);
      const last = await (servers[0] as ApiProcess).call('POST', CONFIGMAPS_PATH, '{"metadata":{"name":"last"}}');
      const lastRevision = Number(JSON.parse(last.body).metadata.resourceVersion);
      await waitFor('the watchers', () => watchers.every((watcher) => watcher.lastRevision >= lastRevision));
      for (const watcher of watchers) watcher.stop();
      await watching;

      const acknowledged = byName(writers.flatMap((writer) => writer.acknowledged));
      for (const watcher of watchers) {
        const seen = byName(watcher.seen);
        const missed = [...acknowledged].flatMap(([name, changes]) => missedChanges(changes, seen.get(name) ?? []));
        expect(missed).toEqual([]);
      }
      const unanswered = writers.reduce((sum, writer) => sum + writer.unanswered, 0);
      const resumptions = watchers.reduce((sum, watcher) => sum + watcher.resumptions, 0);
      console.log(
        `${kills} kills, ${count()} acknowledged writes, ${unanswered} without an answer, ${resumptions} watches resumed`,
      );
    },
    Math.max(300_000, KILLS * 10_000),
  );
});
