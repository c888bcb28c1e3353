import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { notFound } from '../../shared/api/status.ts';
import { BusTimeoutError, BusUnavailableError, RemoteError } from '../../shared/bus/bus-error.ts';
import { type Bus, connectBus } from '../../shared/bus/connection.ts';
import { UnexpectedMessageError } from '../../shared/bus/message-fields.ts';
import { ANY, eventSubject, requestSubject } from '../../shared/bus/subjects.ts';
import { waitFor } from '../wait-for.ts';
import { freePort, startNatsServer, type TestNatsServer } from './nats-server.ts';

function decodeText(value: unknown): string {
  if (typeof value !== 'string') throw new UnexpectedMessageError('not a text');
  return value;
}

const ECHO = requestSubject('echo.{node}', decodeText, decodeText);
const NEWS = eventSubject('news.{node}', decodeText);

let server: TestNatsServer;
const opened: Bus[] = [];

async function openBus(clientName: string): Promise<Bus> {
  const bus = await connectBus({ url: server.url, token: server.token, cluster: 'test', clientName });
  opened.push(bus);
  return bus;
}

beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  for (const bus of opened.splice(0)) await bus.close();
});
afterAll(async () => {
  await server.stop();
});

describe('requests', () => {
  it('reach the server of that parameter, dots in names included', async () => {
    const [client, one, two] = await Promise.all([openBus('client'), openBus('one'), openBus('two')]);
    one.serve(ECHO, { node: 'worker-1.lab' }, async (text) => `1:${text}`);
    two.serve(ECHO, { node: 'worker-2' }, async (text) => `2:${text}`);
    await Promise.all([one.nats.flush(), two.nats.flush()]);
    expect(await client.request(ECHO, { node: 'worker-1.lab' }, 'a')).toBe('1:a');
    expect(await client.request(ECHO, { node: 'worker-2' }, 'b')).toBe('2:b');
  });

  it('fail at once when nobody serves', async () => {
    const client = await openBus('client');
    const failure = await client.request(ECHO, { node: 'nobody' }, 'x').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BusUnavailableError);
    expect(failure).toMatchObject({ maybeDelivered: false });
  });

  it('time out when the answer stays away', async () => {
    const client = await openBus('client');
    client.serve(ECHO, { node: 'slow' }, () => new Promise(() => undefined));
    await expect(client.request(ECHO, { node: 'slow' }, 'x', { timeoutMs: 50 })).rejects.toBeInstanceOf(
      BusTimeoutError,
    );
  });

  it('carry API errors and plain errors back', async () => {
    const client = await openBus('client');
    client.serve(ECHO, { node: 'broken' }, async (text) => {
      throw text === 'api' ? notFound({ group: '', resource: 'pods' }, 'web') : new Error('out of order');
    });
    const apiFailure = await client.request(ECHO, { node: 'broken' }, 'api').catch((error: unknown) => error);
    expect(apiFailure).toBeInstanceOf(RemoteError);
    expect(apiFailure).toMatchObject({ status: { code: 404, reason: 'NotFound' } });
    await expect(client.request(ECHO, { node: 'broken' }, 'plain')).rejects.toThrow('out of order');
  });

  it('refuse messages of another shape', async () => {
    const client = await openBus('client');
    client.serve(ECHO, { node: 'strict' }, async (text) => text);
    const anything = requestSubject<unknown, unknown>(
      ECHO.pattern,
      (value) => value,
      (value) => value,
    );
    await expect(client.request(anything, { node: 'strict' }, { not: 'text' })).rejects.toThrow('not a text');
  });

  it('are shared out within a queue', async () => {
    const [client, one, two] = await Promise.all([openBus('client'), openBus('one'), openBus('two')]);
    for (const bus of [one, two])
      bus.serve(ECHO, { node: 'shared' }, async () => String(opened.indexOf(bus)), { queue: 'q' });
    await Promise.all([one.nats.flush(), two.nats.flush()]);
    const answers = new Set<string>();
    await waitFor('answers of both', async () => {
      answers.add(await client.request(ECHO, { node: 'shared' }, ''));
      return answers.size === 2;
    });
    expect(answers.size).toBe(2);
  });

  it('under way fail when the connection breaks, and work again after a crash of the server', async () => {
    const [client, worker] = await Promise.all([openBus('client'), openBus('worker')]);
    let blocked = true;
    worker.serve(ECHO, { node: 'w' }, (text) => (blocked ? new Promise(() => undefined) : Promise.resolve(text)));
    await worker.nats.flush();
    const underWay = client.request(ECHO, { node: 'w' }, 'x', { timeoutMs: 20_000 }).catch((error: unknown) => error);
    await client.nats.flush();
    await server.kill();
    expect(await underWay).toMatchObject({ name: 'BusUnavailableError', maybeDelivered: true });
    await waitFor('the break to be noticed', () => !client.connected && !worker.connected);
    await expect(client.request(ECHO, { node: 'w' }, 'x')).rejects.toBeInstanceOf(BusUnavailableError);
    blocked = false;
    await server.start();
    await waitFor('both to be back', () => client.connected && worker.connected);
    // What it serves may reach the server behind a request of somebody else.
    await worker.nats.flush();
    expect(await client.request(ECHO, { node: 'w' }, 'again')).toBe('again');
  });
});

describe('events', () => {
  it('reach all that listen, one node or any', async () => {
    const [sender, one, all] = await Promise.all([openBus('sender'), openBus('one'), openBus('all')]);
    const heard: string[] = [];
    one.subscribe(NEWS, { node: 'a' }, (text) => heard.push(`one ${text}`));
    all.subscribe(NEWS, { node: ANY }, (text) => heard.push(`all ${text}`));
    await Promise.all([one.nats.flush(), all.nats.flush()]);
    sender.publish(NEWS, { node: 'a' }, '1');
    sender.publish(NEWS, { node: 'b' }, '2');
    await waitFor('three deliveries', () => heard.length === 3);
    expect(heard.toSorted()).toEqual(['all 1', 'all 2', 'one 1']);
  });
});

describe('connecting', () => {
  it('says when the token is refused', async () => {
    await expect(
      connectBus({ url: server.url, token: 'wrong', cluster: 'test', clientName: 'stranger' }),
    ).rejects.toThrow('refused the token');
  });

  it('gives up when asked to', async () => {
    const url = `nats://127.0.0.1:${await freePort()}`;
    await expect(connectBus({ url, cluster: 'test', clientName: 'early', connectTimeoutMs: 100 })).rejects.toThrow(
      `no NATS server answered at ${url}`,
    );
  });
});
