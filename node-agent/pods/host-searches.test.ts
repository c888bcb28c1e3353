import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hostSearches } from './host-searches.ts';
import { resolvConf } from './name-resolution.ts';

it("the machine's search list stands behind the cluster's, and its name servers nowhere", () => {
  const folder = mkdtempSync(join(tmpdir(), 'host-searches-'));
  const path = join(folder, 'resolv.conf');
  writeFileSync(path, 'search corp.example lan\nnameserver 192.0.2.53\n');
  const pod = { metadata: { namespace: 'shop' }, spec: { containers: [] } };
  const cluster = { serviceIp: '10.96.0.10', domain: 'cluster.local' };
  expect(resolvConf(pod, cluster, hostSearches(path))).toBe(
    'search shop.svc.cluster.local svc.cluster.local cluster.local corp.example lan\nnameserver 10.96.0.10\noptions ndots:5\n',
  );
  rmSync(folder, { recursive: true });
  expect(hostSearches(path)).toEqual({ nameservers: [], searches: [] });
});
