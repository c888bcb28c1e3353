import { expect, test } from 'vitest';
import { AddressesExhaustedError } from '../cni/ipam/host-local.ts';
import type { CniPlugin } from '../cni/plugin.ts';
import { CniNetworks } from './cni-networks.ts';

const POD = { metadata: { namespace: 'default', name: 'web', uid: '1234-5678' } };

function networks(plugin: object, error: Error): CniNetworks {
  const failing = () => {
    throw error;
  };
  const content = { plugins: [plugin, { type: 'portmap' }] };
  const configured = { attach: failing, configuration: () => ({ fileName: '10-x.conflist', content }) };
  return new CniNetworks({
    cni: { plugin: configured as unknown as CniPlugin, isUp: true },
    portMap: { add: failing, remove: failing } as never,
    policy: () => undefined,
    node: {} as never,
    networkOf: failing,
    inTurn: (call) => call(),
  });
}

test.each([
  [{ type: 'calico' }, 'plugin type="calico" failed (add)'],
  [{ type: 'aws-cni', name: 'aws-cni' }, 'plugin type="aws-cni" name="aws-cni" failed (add)'],
])('a pod without an address: the runtime says which plugin refused it (%o)', async (plugin, words) => {
  const attached = networks(plugin, new AddressesExhaustedError('no IP')).attach(POD);
  await expect(attached).rejects.toThrow(
    `rpc error: code = Unknown desc = failed to setup network for sandbox "1234567812345678": ${words}: no IP`,
  );
});

test('other errors stay what they are', async () => {
  const error = new TypeError('a bug');
  await expect(networks({ type: 'calico' }, error).attach(POD)).rejects.toBe(error);
});
