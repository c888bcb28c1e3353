/** Two apiservers behind one NATS: endpoints, what one writes and the other reads, and that no address is given twice. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../shared/runtime/random.ts';
import { freePort, startNatsServer, type TestNatsServer } from '../contract/nats-server.ts';
import { waitFor } from '../wait-for.ts';
import { type ApiAnswer, ApiProcess } from './api-process.testkit.ts';

const SERVICES = '/api/v1/namespaces/default/services';
const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';
const SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

let nats: TestNatsServer;
let folder: string;
let first: ApiProcess;
let second: ApiProcess;

beforeAll(async () => {
  nats = await startNatsServer();
  folder = mkdtempSync(join(tmpdir(), 'podwire-two-'));
  const servers = [1, 2].map(async (number) => {
    const environment = { PODWIRE_API_SERVER_NUMBER: String(number) };
    const server = new ApiProcess({ nats, folder, port: await freePort(), environment });
    // Both at once: whoever is first makes the keys and the store.
    await server.start();
    return server;
  });
  [first, second] = (await Promise.all(servers)) as [ApiProcess, ApiProcess];
});
afterAll(async () => {
  await first.kill();
  await second.kill();
  await nats.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function endpointsSeenBy(server: ApiProcess): Promise<string[]> {
  const { body } = await server.call('GET', '/api/v1/namespaces/default/endpoints/kubernetes');
  const subsets: { addresses: { ip: string }[]; ports: { port: number }[] }[] = JSON.parse(body).subsets ?? [];
  return subsets.flatMap(({ addresses, ports }) => addresses.map(({ ip }) => `${ip}:${ports[0]!.port}`)).sort();
}

interface Service {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly clusterIP: string; readonly ports: readonly { readonly nodePort?: number }[] };
}

async function services(server: ApiProcess): Promise<Service[]> {
  const { items }: { items: Service[] } = JSON.parse((await server.call('GET', SERVICES)).body);
  return items;
}

function expectUnique<T>(what: string, values: readonly T[]): void {
  expect(new Set(values).size, what).toBe(values.length);
}

describe('two apiservers', () => {
  it('both stand in the endpoints of the kubernetes Service, each with a kubeconfig', async () => {
    const both = [`192.168.1.2:${first.port}`, `192.168.1.3:${second.port}`];
    await waitFor('both endpoints', async () => (await endpointsSeenBy(first)).length === 2);
    expect(await endpointsSeenBy(second)).toEqual(both);
    const ports = await waitFor('both slices', async () => {
      const { body } = await first.call('GET', SLICES);
      const found: number[] = JSON.parse(body).items.map(
        (slice: { ports: { port: number }[] }) => slice.ports[0]!.port,
      );
      return found.length === 2 ? found : undefined;
    });
    expect(ports.sort()).toEqual([first.port, second.port].sort());
    for (const name of ['kubeconfig', 'kubeconfig-2']) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  });

  it('the other one reads, replaces and deletes at once what one has written', async () => {
    for (let i = 0; i < 50; i++) {
      const [writer, other] = i % 2 === 0 ? [first, second] : [second, first];
      const made = await writer.call('POST', CONFIGMAPS, `{"metadata":{"name":"shared"},"data":{"i":"${i}"}}`);
      expect(made.code, made.body).toBe(201);
      const read = await other.call('GET', `${CONFIGMAPS}/shared`);
      expect(JSON.parse(read.body).data).toEqual({ i: String(i) });
      const replaced = await other.call('PUT', `${CONFIGMAPS}/shared`, made.body.replace(`"${i}"`, '"again"'));
      expect(replaced.code, replaced.body).toBe(200);
      expect((await writer.call('DELETE', `${CONFIGMAPS}/shared`)).code).toBe(200);
      expect((await other.call('GET', `${CONFIGMAPS}/shared`)).code).toBe(404);
    }
  });

  it('no cluster IP and no node port is given twice, though one is killed meanwhile', async () => {
    const seed = Number(process.env.PODWIRE_SEED ?? 1);
    const random = seededRandom(seed);
    const acknowledged: string[] = [];
    // Few numbers that are asked for by both at once, many that are chosen.
    const bodyOf = (i: number) => {
      const ports = random.next() < 0.3 ? [{ port: 80, nodePort: 30_000 + random.integer(0, 8) }] : [{ port: 80 }];
      const address = random.next() < 0.3 ? { clusterIP: `10.96.100.${random.integer(1, 9)}` } : {};
      return JSON.stringify({ metadata: { name: `s-${i}` }, spec: { type: 'NodePort', ports, ...address } });
    };
    const create = async (i: number): Promise<void> => {
      const server = i % 2 === 0 ? first : second;
      let answer: ApiAnswer;
      try {
        answer = await server.call('POST', SERVICES, bodyOf(i));
      } catch (error) {
        // Killed: it may or may not be there.
        expect(error).toHaveProperty('code');
        return;
      }
      if (answer.code === 201) acknowledged.push(`s-${i}`);
      else expect(answer.code, answer.body).toBe(422);
    };
    let next = 0;
    const worker = async () => {
      while (next < 240) await create(next++);
    };
    const working = Promise.all(Array.from({ length: 12 }, worker));
    await waitFor('some Services', () => acknowledged.length > 60);
    await second.kill();
    await working;
    await second.start();
    const all = await services(second);
    const message = `PODWIRE_SEED=${seed}`;
    expectUnique(
      message,
      all.map(({ spec }) => spec.clusterIP),
    );
    expectUnique(
      message,
      all.flatMap(({ spec }) => spec.ports.flatMap(({ nodePort }) => nodePort ?? [])),
    );
    const names = new Set(all.map(({ metadata }) => metadata.name));
    expect(
      acknowledged.filter((name) => !names.has(name)),
      message,
    ).toEqual([]);
    expect(await services(first)).toEqual(all);
  });

  it('the endpoints of one that stays away are taken out', async () => {
    await second.kill();
    await waitFor('one endpoint', async () => (await endpointsSeenBy(first)).join() === `192.168.1.2:${first.port}`);
    await waitFor('one slice', async () => JSON.parse((await first.call('GET', SLICES)).body).items.length === 1);
  });
});
