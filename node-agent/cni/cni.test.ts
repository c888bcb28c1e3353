import { describe, expect, test } from 'vitest';
import { iptablesSave } from '../../shared/rules/iptables-save.ts';
import { applyTransaction, emptyRuleset } from '../../shared/rules/ruleset.ts';
import { parseIpv4, parseIpv4Prefix } from '../../shared/wire/address.ts';
import { decodeBackendData, encodeBackendData } from './flannel/backend-data.ts';
import { peerOf } from './node-peers.ts';
import { hostPortsOf } from './portmap/portmap.ts';
import { portmapRules } from './portmap/portmap-rules.ts';
import { decodeUnderlay, encodeUnderlay } from './underlay-annotations.ts';

describe('annotations', () => {
  test("flannel's are as the original writes them, and read back", () => {
    const annotations = encodeBackendData({ type: 'vxlan', vtepMac: 0x0242_0a0b_0c0d, publicIp: '192.168.1.10' });
    expect(annotations['flannel.alpha.coreos.com/backend-data']).toBe('{"VNI":1,"VtepMAC":"02:42:0a:0b:0c:0d"}');
    expect(decodeBackendData(annotations)).toEqual({
      type: 'vxlan',
      vtepMac: 0x0242_0a0b_0c0d,
      publicIp: '192.168.1.10',
    });
    const direct = { type: 'host-gw', vtepMac: undefined, publicIp: '192.168.1.10' } as const;
    expect(decodeBackendData(encodeBackendData(direct))).toEqual(direct);
  });

  test('malformed ones make no peer', () => {
    const good = encodeBackendData({ type: 'vxlan', vtepMac: 1, publicIp: '192.168.1.10' });
    const key = 'flannel.alpha.coreos.com/backend-data';
    for (const bad of ['', '{', '[]', 'null', '{"VtepMAC":7}', '{"VtepMAC":"zz"}']) {
      expect(decodeBackendData({ ...good, [key]: bad })).toBeUndefined();
    }
    for (const bad of ['', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:99999', ':4789']) {
      const underlay = encodeUnderlay({ endpoint: { address: '127.0.1.10', port: 4789 }, mac: 1 });
      expect(decodeUnderlay({ ...underlay, 'podwire.dev/underlay-endpoint': bad })).toBeUndefined();
    }
  });

  test('the underlay reads back', () => {
    const address = { endpoint: { address: '127.0.1.10', port: 4789 }, mac: 0x0242_c0a8_010a };
    expect(decodeUnderlay(encodeUnderlay(address))).toEqual(address);
  });
});

test('a Node is a peer once it has an InternalIP, with or without a pod CIDR', () => {
  const node = { metadata: { name: 'worker-2' }, spec: { podCIDR: '10.244.2.0/24' } };
  expect(peerOf(node)).toBeUndefined();
  const status = { addresses: [{ type: 'InternalIP', address: '192.168.1.11' }] };
  expect(peerOf({ ...node, status })).toMatchObject({
    name: 'worker-2',
    internalIp: 0xc0a8_010b,
    podCidr: { address: 0x0af4_0200, prefixLength: 24 },
  });
  expect(peerOf({ ...node, spec: {}, status })?.podCidr).toBeNull();
});

test('host ports become DNAT rules that iptables-save shows', () => {
  const pod = {
    metadata: { namespace: 'default', name: 'web-0' },
    spec: { containers: [{ name: 'web', ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] }] },
  };
  const mappings = hostPortsOf(pod, parseIpv4('10.244.1.5')!);
  const transaction = portmapRules(mappings, parseIpv4Prefix('10.244.1.0/24')!, 'boot');
  const { ruleset, reply } = applyTransaction(emptyRuleset('boot'), transaction);
  expect(reply.kind).toBe('applied');
  const text = iptablesSave(ruleset, { table: 'nat' });
  expect(text).toContain('-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT');
  expect(text).toContain('--dport 8080');
  expect(text).toContain('-j DNAT --to-destination 10.244.1.5:80');
});
