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
      nodesKnown: () => calls.push('nodesKnown'),
    } as unknown as CniPlugin;
    const cni = new NodeCni({
      wanted: ({ name, backend }) => {
        calls.push(`wanted ${name} ${backend}`);
      },
      installed: (name) => calls.push(`installed ${name}`),
      up: () => calls.push('up'),
    });
    return { cni, calls, plugin };
  }

  it('a plugin that comes late is told what happened before', () => {
    const { cni, calls, plugin } = world();
    cni.setPodCidr(podCidr, undefined);
    cni.setPeer(peer);
    cni.setPeer({ ...peer, name: 'worker-3' });
    cni.removePeer('worker-3');
    cni.retainOnly(new Set());
    cni.nodesKnown();
    expect(cni.isUp).toBe(false);
    cni.install('flannel', () => plugin);
    expect(calls).toEqual(['installed flannel', 'retainOnly', 'setUpNode', 'up', 'setPeer worker-2', 'nodesKnown']);
    expect(cni.isUp).toBe(true);
  });

  it('file and daemon may come in any order; one of them is not enough', () => {
    const { cni, calls, plugin } = world();
    expect(cni.daemonStarted({ name: 'flannel', backend: 'host-gw', settings: {} })).toBeUndefined();
    cni.setPodCidr(podCidr, undefined);
    expect(cni.daemonStarted({ name: 'flannel', backend: 'host-gw', settings: {} })).toEqual(podCidr);
    expect(calls).toEqual([]);
    cni.configurationChanged([flannel]);
    expect(calls).toEqual(['wanted flannel host-gw']);
    cni.install('flannel', () => plugin);
    cni.configurationChanged([bridge]);
    expect(calls.filter((call) => call.startsWith('wanted'))).toHaveLength(1);
  });

  it('a plugin that is loaded a second time meanwhile is not made again', () => {
    const { cni, calls, plugin } = world();
    cni.install('flannel', () => plugin);
    cni.install('flannel', () => {
      throw new Error('made twice');
    });
    expect(calls).toEqual(['installed flannel']);
  });

  it('the bridge needs no daemon', () => {
    const { cni, calls } = world();
    cni.configurationChanged([bridge]);
    expect(calls[0]).toBe('wanted bridge undefined');
  });
});
