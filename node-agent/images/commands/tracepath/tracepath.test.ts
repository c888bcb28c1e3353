/** tracepath, against what iputils 20221126 printed between two namespaces of Linux 6 that are joined as two nodes with flannel. */
import { afterAll, describe, expect, it } from 'vitest';
import type { PingOptions, PingOutcome, PodNetwork } from '../../../../shared/podnet/pod-network.ts';
import { podPair, RIGHT_ADDRESS } from '../../../../shared/podnet/pod-pair.testkit.ts';
import { SocketError } from '../../../../shared/podnet/socket-error.ts';
import { startTestContainer } from '../../container.testkit.ts';
import { utility } from '../../coreutils/utility.ts';
import type { KernelView } from '../../image.ts';
import { serveFakeDns } from '../dns/fake-dns-server.testkit.ts';
import { tracepath } from './tracepath.ts';

const pair = podPair();
await serveFakeDns(pair.right, {
  records: [{ type: 'PTR', name: '1.1.244.10.in-addr.arpa', ttl: 5, data: 'gateway.example' }],
});
afterAll(() => pair.close());

/** A path of a pod's eth0 with `deviceMtu`, and of `pathMtu` behind the first router. */
function path(answer: (options: PingOptions) => PingOutcome | Error, deviceMtu = 1450) {
  const network: PodNetwork = {
    ...pair.left,
    bindUdp: (options) => pair.left.bindUdp(options),
    ping: async (options) => {
      const outcome = answer(options);
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  };
  const kernel: KernelView = {
    run: ([, object]) => {
      const stdout =
        object === 'route'
          ? '10.244.2.5 via 10.244.1.1 dev eth0 src 10.244.1.5 uid 0 \n    cache \n'
          : `2: eth0: <UP> mtu ${deviceMtu} qdisc`;
      return { stdout, stderr: '', code: 0 };
    },
  };
  return startTestContainer({
    network,
    kernel,
    programs: { tracepath: utility('tracepath', tracepath) },
    resolvConf: `nameserver ${RIGHT_ADDRESS}\n`,
  });
}

const bytesOf = ({ payloadBytes = 0 }: PingOptions): number => payloadBytes + 28;

/** Pod, gateway, the other node by a tunnel with less room, pod. */
function flannel(options: PingOptions): PingOutcome {
  const { ttl = 64, address } = options;
  if (ttl === 1) return { kind: 'time-exceeded', from: '10.244.1.1', ttl: 64 };
  if (bytesOf(options) > 1400) return { kind: 'unreachable', from: '10.244.1.1', code: 4, mtuBytes: 1400, ttl: 64 };
  if (ttl === 2) return { kind: 'time-exceeded', from: '10.244.2.0', ttl: 63 };
  return { kind: 'unreachable', from: address, code: 3, ttl: 62 };
}

function timeless(text: string): string {
  return text.replace(/ *[\d]+\.\d{3}ms/g, ' Tms');
}

describe('tracepath', () => {
  it('prints the hops, and each once more when the MTU of the path turned out smaller', async () => {
    const result = await path(flannel).run(['tracepath', '-n', '10.244.2.5']);
    expect(timeless(result.stdout)).toBe(
      ` 1?: [LOCALHOST]                      pmtu 1450
 1:  10.244.1.1 Tms 
 1:  10.244.1.1 Tms 
 2:  10.244.1.1 Tms asymm  1 pmtu 1400
 2:  10.244.2.0 Tms 
 3:  10.244.2.5 Tms reached
     Resume: pmtu 1400 hops 3 back 3 
`,
    );
    expect(result.stdout.split('\n')[1]).toMatch(/^ 1: {2}10\.244\.1\.1 {42,46}\d\.\d{3}ms $/);
    expect(result.stdout.split('\n')[1]).toHaveLength(67);
    expect(result.code).toBe(0);
  });

  it('says nothing of the machine where packets are small enough, and gives names', async () => {
    const result = await path(flannel).run(['tracepath', '-b', '-l', '1000', '-m', '1', '10.244.2.5']);
    expect(timeless(result.stdout)).toBe(
      ' 1:  gateway.example (10.244.1.1) Tms \n     Too many hops: pmtu 1000\n     Resume: pmtu 1000 \n',
    );
  });

  it('asks a silent hop three times', async () => {
    let asked = 0;
    const result = await path(() => {
      asked += 1;
      return { kind: 'timeout' };
    }).run(['tracepath', '-n', '-m', '1', '-l', '100', '10.244.2.5']);
    expect([asked, result.stdout]).toEqual([
      3,
      ' 1:  no reply\n     Too many hops: pmtu 100\n     Resume: pmtu 100 \n',
    ]);
  });

  it('ends where a router goes no further, or refuses', async () => {
    const answer = (code: number) => () => ({ kind: 'unreachable', from: '10.244.1.1', code, ttl: 64 }) as const;
    const tail = async (code: number) =>
      timeless((await path(answer(code)).run(['tracepath', '-n', '-l', '100', '10.99.0.1'])).stdout);
    expect(await tail(0)).toBe(' 1:  10.244.1.1 Tms !N\n     Resume: pmtu 100 \n');
    expect(await tail(1)).toContain('Tms !H\n');
    expect(await tail(13)).toContain('Tms !A\n');
  });

  it('without a route, a name or a host says so', async () => {
    const without = path(() => new SocketError('ENETUNREACH', 'ping'));
    expect((await without.run(['tracepath', '-l', '100', '10.9.9.9'])).stderr).toBe(
      'tracepath: send failed: Network is unreachable\n',
    );
    expect(await without.run(['tracepath', 'nosuch'])).toEqual({
      stdout: '',
      stderr: 'tracepath: nosuch: Name or service not known\n',
      code: 1,
    });
    const outOfRange = (text: string, most: number) =>
      `tracepath: invalid argument: '${text}': out of range: 0 <= value <= ${most}\n`;
    expect((await without.run(['tracepath', '-p', '70000', '10.9.9.9'])).stderr).toBe(outOfRange('70000', 65_535));
    expect((await without.run(['tracepath', '-m', '256', '10.9.9.9'])).stderr).toBe(outOfRange('256', 255));
    expect((await without.run(['tracepath'])).code).toBe(255);
    const unknown = await without.run(['tracepath', '-x']);
    expect([unknown.code, unknown.stderr.split('\n')[0]]).toEqual([255, "tracepath: invalid option -- 'x'"]);
    expect((await without.run(['tracepath', '-V'])).stdout).toMatch(/^tracepath from iputils 20221126\n/);
  });
});
