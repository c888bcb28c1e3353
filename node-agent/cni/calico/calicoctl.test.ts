/** What `calicoctl` prints, in the form of the original's manual. */
import { expect, it } from 'vitest';
import { parseIpv4 } from '../../../shared/wire/address.ts';
import { type CalicoctlView, calicoctl } from './calicoctl.ts';

const ip = (text: string): number => parseIpv4(text)!;
const holder = (address: string, node: string, name: string | null) => ({
  address: ip(address),
  node,
  pod: name === null ? null : { namespace: 'shop', name },
});

const VIEW: CalicoctlView = {
  speaker: undefined,
  nowUs: 0,
  pool: { address: ip('10.244.0.0'), prefixLength: 16 },
  encapsulation: 'ipip-cross-subnet',
  holders: [
    holder('10.244.1.2', 'worker-1', null),
    holder('10.244.1.5', 'worker-1', 'web'),
    holder('10.244.2.130', 'worker-2', 'db'),
  ],
  claimedBlocks: [{ address: ip('10.244.2.0'), prefixLength: 26 }],
  nodes: [
    { name: 'worker-1', internalIp: ip('192.168.1.10') },
    { name: 'worker-2', internalIp: ip('192.168.1.11') },
  ],
  nodePrefixLength: 24,
};
const run = (line: string): string => calicoctl(VIEW, line.split(' '));

it('ipam show', () => {
  expect(run('ipam show --show-blocks')).toBe(`\
+----------+-----------------+-----------+------------+--------------+
| GROUPING |      CIDR       | IPS TOTAL | IPS IN USE |   IPS FREE   |
+----------+-----------------+-----------+------------+--------------+
| IP Pool  | 10.244.0.0/16   |     65536 | 3 (0%)     | 65533 (100%) |
| Block    | 10.244.1.0/26   |        64 | 2 (3%)     | 62 (97%)     |
| Block    | 10.244.2.0/26   |        64 | 0 (0%)     | 64 (100%)    |
| Block    | 10.244.2.128/26 |        64 | 1 (2%)     | 63 (98%)     |
+----------+-----------------+-----------+------------+--------------+
`);
  expect(run('ipam show').match(/Block/g)).toBeNull();
  expect(run('ipam show --ip=10.244.1.5')).toBe(
    'IP 10.244.1.5 is in use\nAttributes:\n  namespace: shop\n  pod: web\n  node: worker-1\n',
  );
  expect(run('ipam show --ip=10.244.1.2')).toContain('type: ipipTunnelAddress');
  expect(run('ipam show --ip 10.244.1.9')).toBe('10.244.1.9 is not assigned\n');
  expect(run('ipam show --ip=x')).toBe('Error: invalid IP address: x\n');
});

it('get', () => {
  expect(run('get nodes')).toBe('NAME\nworker-1\nworker-2\n');
  expect(run('get node -o wide')).toContain('worker-1   (64512)   192.168.1.10/24\n');
  expect(run('get ippool')).toBe(
    'NAME                  CIDR            SELECTOR\ndefault-ipv4-ippool   10.244.0.0/16   all()\n',
  );
  expect(run('get ippools -o wide')).toMatch(/10\.244\.0\.0\/16 +true +CrossSubnet +Never +false +false +all\(\)\n/);
  expect(run('get profiles')).toContain('kubectl get globalnetworkpolicies');
});

it('node status where no BGP runs, and what it does not know', () => {
  expect(run('node status')).toContain('The BGP backend process (BIRD) is not running.');
  expect(run('convert')).toContain("Invalid option: 'calicoctl convert'");
});
