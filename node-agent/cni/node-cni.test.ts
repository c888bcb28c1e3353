import { describe, expect, it } from 'vitest';
import { parseIpv4Prefix } from '../../shared/wire/address.ts';
import { configuredPlugins } from './network-configuration.ts';
import { NodeCni } from './node-cni.ts';
import type { CniPlugin, PeerNode } from './plugin.ts';

const file = (name: string, content: unknown) => ({ name, text: JSON.stringify(content) });
const flannel = file('10-flannel.conflist', { plugins: [{ type: 'flannel' }, { type: 'portmap' }] });
const bridge = file('10-bridge.conf', { type: 'bridge', bridge: 'cni0' });

describe('configuredPlugins', () => {
  it.each([
    ['no file', [], []],
    ['a list', [flannel], ['flannel', 'canal']],
    ['a single plugin', [bridge], ['bridge']],
    [
      'a bridge of kube-router',
      [file('1.conflist', { plugins: [{ type: 'bridge', bridge: 'kube-bridge' }] })],
      ['kube-router'],
    ],
    ['the first by name', [flannel, bridge], ['bridge']],
    ['half a file, and a whole one behind it', [{ name: '05.conf', text: '{"type":' }, flannel], ['flannel', 'canal']],
    ['another ending', [{ ...bridge, name: 'calico-kubeconfig' }], []],
    ['a type that is unknown here', [file('1.conf', { type: 'ovn' })], []],
    ['no object', [{ name: '1.conf', text: '7' }], []],
  ])('%s', (_, files, plugins) => {
    expect(configuredPlugins(files)).toEqual(plugins);
  });
});

describe('NodeCni', () => {
  const podCidr = parseIpv4Prefix('10.244.1.0/24')!;
  const peer = { name: 'worker-2' } as PeerNode;

  function world() {
    const calls: string[] = [];
    const plugin = {
      setUpNode: () => {
        calls.push('setUpNode');
        return { reason: '', message: '' };
      },
      setPeer: ({ name }: PeerNode) => calls.push(`setPeer ${name}`),
      removePeer: (name: string) => calls.push(`removePeer ${name}`),
      retainOnly: () => calls.push('retainOnly'),
    } as unknown as CniPlugin;
    const cni = new NodeCni({
      create: ({ name, backend }) => {
        calls.push(`create ${name} ${backend}`);
        return plugin;
      },
      installed: (name) => calls.push(`installed ${name}`),
      up: () => calls.push('up'),
    });
    return { cni, calls };
  }

  it('a plugin that comes late is told what happened before', () => {
    const { cni, calls } = world();
    cni.setPodCidr(podCidr, undefined);
    cni.setPeer(peer);
    cni.setPeer({ ...peer, name: 'worker-3' });
    cni.removePeer('worker-3');
    cni.retainOnly(new Set());
    expect(cni.isUp).toBe(false);
    cni.install({ name: 'flannel', backend: 'vxlan', settings: {} });
    expect(calls).toEqual([
      'create flannel vxlan',
      'installed flannel',
      'retainOnly',
      'setUpNode',
      'up',
      'setPeer worker-2',
    ]);
    expect(cni.isUp).toBe(true);
  });

  it('file and daemon may come in any order; one of them is not enough', () => {
    const { cni, calls } = world();
    expect(cni.daemonStarted({ name: 'flannel', backend: 'host-gw', settings: {} })).toBeUndefined();
    cni.setPodCidr(podCidr, undefined);
    expect(cni.daemonStarted({ name: 'flannel', backend: 'host-gw', settings: {} })).toEqual(podCidr);
    expect(calls).toEqual([]);
    cni.configurationChanged([flannel]);
    expect(calls[0]).toBe('create flannel host-gw');
    cni.configurationChanged([bridge]);
    expect(calls.filter((call) => call.startsWith('create'))).toHaveLength(1);
  });

  it('the bridge needs no daemon', () => {
    const { cni, calls } = world();
    cni.configurationChanged([bridge]);
    expect(calls[0]).toBe('create bridge undefined');
  });
});
