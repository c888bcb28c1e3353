import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { natsConfigText, writeNatsServerFiles } from './server-config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-nats-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const options = { host: '127.0.0.1', port: 4222, storeFolder: '/var/store' };

describe('writeNatsServerFiles', () => {
  it('writes what only the owner may read, and keeps the token', () => {
    const first = writeNatsServerFiles(join(folder, 'nats'), options);
    const again = writeNatsServerFiles(join(folder, 'nats'), { ...options, port: 4333 });
    expect(again.token).toBe(first.token);
    expect(first.token).toMatch(/^[0-9a-f]{48}$/);
    expect(statSync(join(folder, 'nats')).mode & 0o777).toBe(0o700);
    for (const name of ['token', 'nats.conf']) expect(statSync(join(folder, 'nats', name)).mode & 0o777).toBe(0o600);
    expect(readFileSync(again.configFile, 'utf8')).toContain('port: 4333');
  });
});

describe('natsConfigText', () => {
  it('binds loopback, asks for the token, and monitors only when told to', () => {
    const text = natsConfigText(options, 'secret');
    expect(text).toContain('host: "127.0.0.1"');
    expect(text).toContain('authorization { token: "secret" }');
    expect(text).not.toContain('http');
    expect(natsConfigText({ ...options, monitorPort: 8222 }, 'secret')).toContain('http: "127.0.0.1:8222"');
  });
});
