import { describe, expect, it } from 'vitest';
import { chooseAddressBlock, planNodes, SHARED_ADDRESS, type UdpProbe } from './address-plan.ts';

/** A machine on which exactly these `address:port` are taken; without the loopback network if so said. */
function machine(taken: readonly string[], hasLoopbackNetwork = true): UdpProbe {
  return async (port, host) => {
    if (!hasLoopbackNetwork && host !== '127.0.0.1') return 'no-such-address';
    return taken.includes(`${host}:${port}`) ? 'taken' : 'free';
  };
}

describe('chooseAddressBlock', () => {
  it.each([
    ['the first block', [], undefined, 1],
    ['the next one beside another cluster', ['127.0.1.10:4789'], undefined, 2],
    ['one whose last address is free too', ['127.0.1.12:4789'], undefined, 2],
    ['the one of the last time', [], 7, 7],
    ['another one when that is taken', ['127.0.7.10:4789'], 7, 1],
  ])('takes %s', async (_, taken, preferred, expected) => {
    expect(await chooseAddressBlock(3, preferred, () => true, machine(taken))).toBe(expected);
  });

  it('leaves a block alone that another cluster claims, though its sockets are not bound', async () => {
    const claim = (resource: string) => resource !== 'block-1';
    expect(await chooseAddressBlock(3, undefined, claim, machine([]))).toBe(2);
  });

  it('falls back to the one address that every machine has', async () => {
    expect(await chooseAddressBlock(3, undefined, () => true, machine([], false))).toBe(SHARED_ADDRESS);
  });

  it('says when every block is taken', async () => {
    await expect(
      chooseAddressBlock(
        3,
        undefined,
        () => true,
        async () => 'taken',
      ),
    ).rejects.toThrow('taken on every loopback block');
  });
});

describe('planNodes', () => {
  it('gives each node an address of its own and the standard port', async () => {
    expect(await planNodes(2, 3, machine([]))).toEqual([
      {
        name: 'worker-1',
        internalIp: '192.168.1.10',
        internalIpv6: 'fd00:192:168:1::10',
        bindAddress: '127.0.3.10',
        vxlanPort: 4789,
      },
      {
        name: 'worker-2',
        internalIp: '192.168.1.11',
        internalIpv6: 'fd00:192:168:1::11',
        bindAddress: '127.0.3.11',
        vxlanPort: 4789,
      },
    ]);
  });

  it('gives each node a free port where they share an address', async () => {
    const nodes = await planNodes(2, SHARED_ADDRESS, machine(['127.0.0.1:14790'], false));
    expect(nodes.map(({ bindAddress, vxlanPort }) => `${bindAddress}:${vxlanPort}`)).toEqual([
      '127.0.0.1:14789',
      '127.0.0.1:14791',
    ]);
  });
});
