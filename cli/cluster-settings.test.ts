import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClusterSettings, readSettings, writeSettings } from './cluster-settings.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-settings-'));
  path = join(folder, 'cluster.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

const settings: ClusterSettings = {
  nodes: 3,
  cni: 'flannel',
  cniBackend: 'vxlan',
  policyEstablished: 'keep',
  proxyMode: 'iptables',
  loadBalancerPool: '192.168.1.240-192.168.1.250',
  ipFamily: 'ipv4',
  maxPods: 400,
  timing: 'lab',
  authorizationMode: 'RBAC',
  apiservers: 2,
  apiPort: 6443,
  natsPort: 4222,
  addressBlock: 1,
};

describe('settings', () => {
  it('are read as they were written, by their owner alone', () => {
    writeSettings(path, settings);
    expect(readSettings(path)).toEqual(settings);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('are absent where there is no file', () => {
    expect(readSettings(path)).toBeUndefined();
  });

  it.each([
    '',
    '{"nodes":',
    '[]',
    JSON.stringify({ ...settings, nodes: -1 }),
    JSON.stringify({ ...settings, cni: 'x' }),
  ])('refuses %o and says which file it is', (text) => {
    writeFileSync(path, text);
    expect(() => readSettings(path)).toThrow(`${path} is damaged`);
  });
});
