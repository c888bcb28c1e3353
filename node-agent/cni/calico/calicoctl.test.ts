/** What `calicoctl` prints, in the form of the original's manual. */
import { expect, it } from 'vitest';
import { parseIpv4 } from '../../../shared/wire/address.ts';
import { parsePrefix } from '../../../shared/wire/ip-address.ts';
import { type CalicoctlView, calicoctl } from './calicoctl.ts';
import { type Block, give, newBlock } from './ipam/block.ts';
import { ipPoolOf } from './ipam/ip-pool.ts';

const ip = (text: string): number => parseIpv4(text)!;
const block = (cidr: string, node: string, ...held: [string, Record<string, string>][]): Block =>
  held.reduce(
    (given, [address, secondary]) => give(given, { handle_id: address, secondary }, ip(address))!.block,
    newBlock(parsePrefix(cidr)!, node),
  );
const pod = (node: string, name: string) => ({ namespace: 'shop', node, pod: name, timestamp: '2026-01-31T12:00:00Z' });

const VIEW: CalicoctlView = {
  speaker: undefined,
  nowUs: 0,
  pools: [
    ipPoolOf({
      metadata: { name: 'default-ipv4-ippool' },
      spec: { cidr: '10.244.0.0/16', natOutgoing: true, ipipMode: 'CrossSubnet' },
    })!,
  ],
  blocks: [
    block(
      '10.244.2.128/26',
      'worker-2',
      ['10.244.2.130', pod('worker-2', 'db')],
      ['10.244.2.131', pod('worker-1', 'guest')],
    ),
    block(
      '10.244.1.0/26',
      'worker-1',
      ['10.244.1.0', { node: 'worker-1', type: 'ipipTunnelAddress' }],
      ['10.244.1.5', pod('worker-1', 'web')],
    ),
    block('10.244.2.0/26', 'worker-2'),
  ],
  strictAffinity: false,
  podAddresses: [ip('10.244.1.5'), ip('10.244.2.130'), ip('10.244.3.1')],
  nodes: [
    { name: 'worker-1', internalIp: ip('192.168.1.10'), annotations: {} },
    { name: 'worker-2', internalIp: ip('192.168.1.11'), annotations: { 'projectcalico.org/ASNumber': '64600' } },
  ],
  nodePrefixLength: 24,
  bgpConfiguration: { nodeToNodeMeshEnabled: false, asNumber: 64_513 },
  bgpPeers: [
    { name: 'to-reflectors', nodeSelector: 'all()', peerSelector: 'has(reflector)' },
    { name: 'tor', peerIP: '192.168.1.1', asNumber: 65_000 },
  ],
};
const run = (line: string): string => calicoctl(VIEW, line.split(' '));

it('ipam show', () => {
  expect(run('ipam show --show-blocks')).toBe(`\
+----------+-----------------+-----------+------------+--------------+
| GROUPING |      CIDR       | IPS TOTAL | IPS IN USE |   IPS FREE   |
+----------+-----------------+-----------+------------+--------------+
| IP Pool  | 10.244.0.0/16   |     65536 | 4 (0%)     | 65532 (100%) |
| Block    | 10.244.1.0/26   |        64 | 2 (3%)     | 62 (97%)     |
| Block    | 10.244.2.0/26   |        64 | 0 (0%)     | 64 (100%)    |
| Block    | 10.244.2.128/26 |        64 | 2 (3%)     | 62 (97%)     |
+----------+-----------------+-----------+------------+--------------+
`);
  expect(run('ipam show').match(/Block/g)).toBeNull();
  expect(run('ipam show --ip=10.244.1.5')).toBe(
    'IP 10.244.1.5 is in use\nAttributes:\n  namespace: shop\n  node: worker-1\n  pod: web\n  timestamp: 2026-01-31T12:00:00Z\n',
  );
  expect(run('ipam show --ip=10.244.1.0')).toContain('type: ipipTunnelAddress');
  expect(run('ipam show --ip 10.244.1.9')).toBe('10.244.1.9 is not assigned\n');
  expect(run('ipam show --ip=x')).toBe('Error: invalid IP address: x\n');
});

it('ipam show --show-borrowed, --show-configuration', () => {
  expect(run('ipam show --show-borrowed')).toContain(`\
|      IP      | BORROWING-NODE |      BLOCK      | BLOCK OWNER | TYPE | ALLOCATED-TO |
+--------------+----------------+-----------------+-------------+------+--------------+
| 10.244.2.131 | worker-1       | 10.244.2.128/26 | worker-2    | pod  | shop/guest   |
`);
  expect(run('ipam show --show-configuration')).toContain('| StrictAffinity     | false |\n');
});

it('ipam check', () => {
  const shown = run('ipam check');
  expect(shown).toContain('IPAM blocks record 4 allocations.\n');
  expect(shown).toContain('  worker-1 has 3 allocations\n  worker-2 has 1 allocations\n');
  expect(shown).toContain(
    'Found 1 IPs that are allocated in IPAM but not actually in use.\n  10.244.2.131 leaked; attrs pod:shop/guest\n',
  );
  expect(shown).toContain('have no corresponding IPAM allocation.\n  10.244.3.1\n');
  expect(shown).toContain('Check complete; found 2 problems.\n');
});

it('get', () => {
  expect(run('get nodes')).toBe('NAME\nworker-1\nworker-2\n');
  expect(run('get node -o wide')).toContain(
    'worker-1   (64513)   192.168.1.10/24\nworker-2   (64600)   192.168.1.11/24\n',
  );
  expect(run('get ippool')).toBe(
    'NAME                  CIDR            SELECTOR\ndefault-ipv4-ippool   10.244.0.0/16   all()\n',
  );
  expect(run('get ippools -o wide')).toMatch(/10\.244\.0\.0\/16 +true +CrossSubnet +Never +false +false +all\(\)\n/);
  expect(run('get bgppeers')).toBe(
    'NAME            PEERIP           NODE       ASN\n' +
      'to-reflectors   has(reflector)   all()      0\n' +
      'tor             192.168.1.1      (global)   65000\n',
  );
  expect(run('get bgpconfig')).toBe(
    'NAME      LOGSEVERITY   MESHENABLED   ASNUMBER\ndefault   Info          false         64513\n',
  );
  expect(run('get profiles')).toContain('kubectl get globalnetworkpolicies');
});

it('node status where no BGP runs, and what it does not know', () => {
  expect(run('node status')).toContain('The BGP backend process (BIRD) is not running.');
  expect(run('convert')).toContain("Invalid option: 'calicoctl convert'");
});
