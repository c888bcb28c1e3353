import { afterEach, describe, expect, it } from 'vitest';
import { queryDns } from '../../../shared/podnet/dns-query.ts';
import { type PodPair, podPair, RIGHT_ADDRESS } from '../../../shared/podnet/pod-pair.testkit.ts';
import { sharedOf, testServer } from '../../server.testkit.ts';
import { DnsServer } from '../../server.ts';

const closings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

async function serve(
  corefile: () => string,
): Promise<{ server: DnsServer; ask: (tcp: boolean) => Promise<string>; pods: PodPair }> {
  const pods = podPair();
  closings.push(async () => void (await pods.close()));
  const readCorefile = () => ({ file: 'Corefile', text: corefile() });
  const server = new DnsServer({ ...sharedOf(pods.right), readCorefile });
  await server.start();
  closings.push(() => server.stop({ lameDuck: false }));
  const ask = async (tcp: boolean): Promise<string> => {
    const question = { server: RIGHT_ADDRESS, name: 'a.lab', type: 'A', timeoutMs: 5000, tcp } as const;
    return queryDns(pods.left, question).then(
      ({ packet }) => packet.rcode,
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
    );
  };
  return { server, ask, pods };
}

describe('bind', () => {
  it('serves an address over both transports', async () => {
    const { ask } = await serve(() => `. {\n bind ${RIGHT_ADDRESS}\n whoami\n}`);
    expect([await ask(false), await ask(true)]).toEqual(['NOERROR', 'NOERROR']);
  });

  it('serves no other address, and another one after a reload', async () => {
    let bind = 'bind 127.0.0.1';
    const { server, ask } = await serve(() => `. {\n ${bind}\n whoami\n}`);
    expect([await ask(false), await ask(true)]).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
    bind = `bind 127.0.0.1 ${RIGHT_ADDRESS}`;
    await server.reload();
    expect([await ask(false), await ask(true)]).toEqual(['NOERROR', 'NOERROR']);
    bind = `bind 127.0.0.1 ${RIGHT_ADDRESS} {\n except ${RIGHT_ADDRESS}\n }`;
    await server.reload();
    expect([await ask(false), await ask(true)]).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
    bind = 'bind 10.99.0.1';
    await expect(server.reload()).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
    bind = '';
    await server.reload();
    expect([await ask(false), await ask(true)]).toEqual(['NOERROR', 'NOERROR']);
    bind = `bind ${RIGHT_ADDRESS}`;
    await server.reload();
    expect([await ask(false), await ask(true)]).toEqual(['NOERROR', 'NOERROR']);
  });

  it('is overruled by a block of the same port that listens everywhere', async () => {
    const { ask } = await serve(() => `. {\n bind 127.0.0.1\n whoami\n}\nexample {\n whoami\n}`);
    expect(await ask(false)).toBe('NOERROR');
  });

  it.each([
    ['bind', 'one or more addresses'],
    ['bind eth0', "instead of 'eth0': names of devices are not known here"],
    ['bind 10.0.0.1 {\n only 10.0.0.1\n }', "unknown property 'only'"],
  ])('%j is refused', async (line, message) => {
    await expect(testServer({ corefile: `. {\n ${line}\n}` })).rejects.toThrow(message);
  });
});
