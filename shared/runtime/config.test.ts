import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readApiServerConfig, readClusterConfig, readNodeConfig, readPodConfig } from './config.ts';

describe('readClusterConfig', () => {
  it('has a default for everything', () => {
    expect(readClusterConfig({})).toMatchObject({
      cluster: 'podwire',
      natsUrl: 'nats://127.0.0.1:4222',
      natsToken: undefined,
      healthAddress: { host: '127.0.0.1', port: 0 },
      serviceCidr: '10.96.0.0/12',
      nodeGraceMs: 4000,
    });
  });

  it.each([
    [{ PODWIRE_CLUSTER: 'Lab 1' }, "PODWIRE_CLUSTER is 'Lab 1': expected up to 40 of a-z"],
    [{ PODWIRE_CLUSTER: '../x' }, 'PODWIRE_CLUSTER'],
    [{ PODWIRE_POD_CIDR: '10.244.0.0/33' }, 'PODWIRE_POD_CIDR'],
    [{ PODWIRE_DNS_IP: '10.96.0.256' }, 'PODWIRE_DNS_IP'],
    [{ PODWIRE_NODE_GRACE_MS: '4s' }, "PODWIRE_NODE_GRACE_MS is '4s': expected a whole number"],
    [{ PODWIRE_LOG_LEVEL: 'loud' }, 'one of trace, debug'],
    [{ PODWIRE_HEALTH_ADDRESS: '127.0.0.1' }, 'host:port'],
    [{ PODWIRE_HEALTH_ADDRESS: '127.0.0.1:70000' }, 'host:port'],
  ])('refuses %o', (environment, message) => {
    expect(() => readClusterConfig(environment)).toThrow(message);
  });
});

describe('the token of NATS', () => {
  it('may stand in a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'podwire-config-'));
    const path = join(folder, 'token');
    try {
      writeFileSync(path, 'secret\n');
      expect(readClusterConfig({ PODWIRE_NATS_TOKEN_FILE: path }).natsToken).toBe('secret');
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(() => readClusterConfig({ PODWIRE_NATS_TOKEN_FILE: path })).toThrow('cannot be read');
  });
});

describe('the parts of single processes', () => {
  it('reads a node', () => {
    expect(
      readNodeConfig({
        PODWIRE_NODE_NAME: 'worker-1',
        PODWIRE_NODE_INTERNAL_IP: '192.168.1.10',
        PODWIRE_NODE_BIND_ADDRESS: '127.0.1.10',
        PODWIRE_NODE_ADVERTISE: '172.18.0.4:4789',
      }),
    ).toEqual({
      nodeName: 'worker-1',
      internalIp: '192.168.1.10',
      bindAddress: '127.0.1.10',
      vxlanPort: 4789,
      advertise: { host: '172.18.0.4', port: 4789 },
      ioTier: 'auto',
      ioBatches: true,
      allowNetns: false,
      allowedHostPaths: [],
    });
    expect(() => readNodeConfig({ PODWIRE_NODE_NAME: 'worker-1' })).toThrow('PODWIRE_NODE_INTERNAL_IP is not set');
  });

  it('reads the apiserver and a pod', () => {
    expect(readApiServerConfig({ PODWIRE_API_PKI_DIR: 'pki' })).toEqual({
      listen: { host: '127.0.0.1', port: 6443 },
      pkiDir: 'pki',
      authorizationMode: 'AlwaysAllow',
      number: 1,
    });
    expect(() => readPodConfig({ PODWIRE_NODE_NAME: 'worker-1' })).toThrow('PODWIRE_POD_NAME is not set');
  });
});
