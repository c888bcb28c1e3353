/**
 * What the real programs printed (bind 9.18's dig, host and nslookup, busybox 1.35's nslookup, glibc 2.36's getent), asked of a
 * server with the records of `fake-dns-server.testkit.ts`. To remake: serve those records on a namespace's loopback
 * address, run the commands of the text file there, and write its address as the server pod's.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { podPair, RIGHT_ADDRESS } from '../../../../shared/podnet/pod-pair.testkit.ts';
import { startTestContainer } from '../../container.testkit.ts';
import type { Program } from '../../image.ts';
import { ALL_NETWORK, BUSYBOX_NETWORK } from '../toolset.ts';
import { serveFakeDns } from './fake-dns-server.testkit.ts';

const busybox: Program = async (context) => {
  const argv = context.argv.slice(1);
  return (await BUSYBOX_NETWORK[argv[0] ?? '']?.({ ...context, argv })) ?? 127;
};

const pair = podPair();
await serveFakeDns(pair.right);
const client = startTestContainer({
  network: pair.left,
  programs: { ...ALL_NETWORK, busybox },
  resolvConf: `nameserver ${RIGHT_ADDRESS}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`,
  etcHosts:
    '127.0.0.1\tlocalhost\n10.244.1.2\tclient.sub.default.svc.cluster.local\tclient alias2\n::1\tip6-localhost\n',
});
afterAll(() => pair.close());

function timeless(text: string): string {
  return text
    .replace(/id: \d+/g, 'id: 1')
    .replace(/time: \d+ msec/g, 'time: 0 msec')
    .replace(/WHEN: .*/g, 'WHEN: now')
    .replace(/in \d+ ms/g, 'in 0 ms');
}

/** `$ command`, what it printed (standard output and error together), `[exit code]`. */
function realOutputs(): { readonly command: string; readonly output: string; readonly code: number }[] {
  const text = readFileSync(join(import.meta.dirname, 'real-outputs.txt'), 'utf8');
  return [...text.matchAll(/^\$ (.*)\n((?:[^$[].*\n|\n)*)\[(\d+)\]$/gm)].map(([, command = '', output = '', code]) => ({
    command,
    output,
    code: Number(code),
  }));
}

const REAL_OUTPUTS = realOutputs();

describe('prints and exits as the real program', () => {
  it('has the records of them', () => expect(REAL_OUTPUTS.length).toBeGreaterThan(150));

  it.each(REAL_OUTPUTS)('$command', async ({ command, code, output }) => {
    const result = await client.run(command.split(' '));
    // Which of the two streams was first is not in the record.
    const [before, after] = [result.stdout + result.stderr, result.stderr + result.stdout].map(timeless);
    expect(after === output ? after : before).toBe(output);
    expect(result.code).toBe(code);
  });
});
