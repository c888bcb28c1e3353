import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { notFound } from '../../shared/api/status.ts';
import { RemoteError } from '../../shared/bus/bus-error.ts';
import { type Bus, connectBus } from '../../shared/bus/connection.ts';
import { type ChannelStream, openStream, serveStreams } from '../../shared/bus/stream.ts';
import { streamSubject } from '../../shared/bus/subjects.ts';
import { waitFor } from '../wait-for.ts';
import { startNatsServer, type TestNatsServer } from './nats-server.ts';

const LINE = streamSubject('line.{node}', (value) => String(value));
const NODE = { node: 'worker-1' };

let server: TestNatsServer;
let client: Bus;
let agent: Bus;
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

async function connectBoth(handler: (request: string, stream: ChannelStream) => void | Promise<void>): Promise<void> {
  [client, agent] = await Promise.all([openBus('client'), openBus('agent')]);
  serveStreams(agent, LINE, NODE, handler);
  await agent.nats.flush();
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Collects what arrives as text a channel, ends as `$`. */
function collect(stream: ChannelStream): Map<number, string> {
  const texts = new Map<number, string>();
  const add = (channel: number, text: string) => void texts.set(channel, (texts.get(channel) ?? '') + text);
  stream.onData((channel, data) => add(channel, new TextDecoder().decode(data)));
  stream.onEnd((channel) => add(channel, '$'));
  return texts;
}

describe('streams', () => {
  it('carry channels both ways and close in order', async () => {
    await connectBoth((request, stream) => {
      stream.onData(async (_, data) => {
        await stream.send(1, data);
        await stream.send(2, bytes(`(${data.length})`));
      });
      stream.onEnd(async () => {
        await stream.send(1, bytes(` for ${request}`));
        stream.end(1);
        stream.close();
      });
    });
    const stream = await openStream(client, LINE, NODE, 'me');
    const texts = collect(stream);
    await stream.send(0, bytes('hello'));
    await stream.send(0, bytes(' you'));
    stream.end(0);
    expect(await stream.closed).toBeUndefined();
    expect(Object.fromEntries(texts)).toEqual({ 1: 'hello you for me', 2: '(5)(4)' });
  });

  it('deliver what was sent before the acceptance and before the close', async () => {
    await connectBoth(async (_, stream) => {
      await stream.send(1, bytes('early'));
      stream.close(new Error('done for'));
    });
    const stream = await openStream(client, LINE, NODE, '');
    const texts = collect(stream);
    expect(await stream.closed).toMatchObject({ name: 'RemoteError', message: 'done for' });
    expect(texts.get(1)).toBe('early');
  });

  it('are refused with the error of the other side', async () => {
    await connectBoth(async () => {
      throw notFound({ group: '', resource: 'pods' }, 'web');
    });
    const refusal = await openStream(client, LINE, NODE, '').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RemoteError);
    expect(refusal).toMatchObject({ status: { code: 404 } });
    await expect(openStream(client, LINE, { node: 'nobody' }, '')).rejects.toThrow('nobody answers');
  });

  it('carry megabytes unchanged past a slow reader, which holds back only its own channel', async () => {
    const total = 3_000_000;
    let sentBytes = 0;
    await connectBoth((_, stream) => {
      void (async () => {
        const block = new Uint8Array(100_000);
        for (let sent = 0; sent < total; sent += block.length) {
          block.fill(sent / block.length);
          await stream.send(1, block);
          sentBytes += block.length;
        }
        stream.end(1);
      })();
      stream.onData((channel, data) => stream.send(channel, data));
    });
    const stream = await openStream(client, LINE, NODE, '');
    const gate = Promise.withResolvers<void>();
    let received = 0;
    let wrongBytes = 0;
    let echo = '';
    const ended = Promise.withResolvers<void>();
    stream.onData(async (channel, data) => {
      if (channel === 0) {
        echo += new TextDecoder().decode(data);
        return;
      }
      await gate.promise;
      for (const byte of data) if (byte !== Math.floor(received++ / 100_000)) wrongBytes++;
    });
    stream.onEnd(() => ended.resolve());
    await stream.send(0, bytes('still here'));
    await waitFor('the echo beside the blocked channel', () => echo === 'still here');
    expect(sentBytes).toBeLessThanOrEqual(300_000);
    gate.resolve();
    await ended.promise;
    expect({ received, wrongBytes }).toEqual({ received: total, wrongBytes: 0 });
    stream.close();
    await expect(stream.send(0, bytes('late'))).rejects.toThrow('closed');
  });

  it('end for both sides when one side dies', async () => {
    let served: ChannelStream | undefined;
    await connectBoth((_, stream) => {
      served = stream;
    });
    const stream = await openStream(client, LINE, NODE, '');
    await client.nats.close();
    expect(await served?.closed).toMatchObject({ message: 'the other side of the stream is gone' });
    expect(await stream.closed).toBeDefined();
  });

  it('break when a crash of the server lost a part, and others can be opened afterwards', async () => {
    await connectBoth((_, stream) => {
      stream.onData((channel, data) => stream.send(channel, data));
    });
    const stream = await openStream(client, LINE, NODE, '');
    await server.kill();
    await waitFor('the break to be noticed', () => !client.connected);
    void stream.send(0, bytes('lost')).catch((error: unknown) => error);
    await server.start();
    await waitFor('both to be back', () => client.connected && agent.connected);
    expect(await stream.closed).toMatchObject({ message: 'part of the stream was lost' });
    await agent.nats.flush();
    const another = await openStream(client, LINE, NODE, '');
    const texts = collect(another);
    await another.send(0, bytes('fine'));
    await waitFor('the echo', () => texts.get(0) === 'fine');
    another.close();
  });
});
