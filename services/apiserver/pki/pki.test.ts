import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadPki } from './pki.ts';

const NAMES = ['localhost', '127.0.0.1', '10.96.0.1', 'fd00::1:2', 'kubernetes.default.svc'];

describe('pki', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'podwire-pki-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('makes a chain that TLS accepts and that names every address', () => {
    const pki = loadPki(folder, NAMES);
    const authority = new X509Certificate(pki.caCertificate);
    const serving = new X509Certificate(pki.servingCertificate);
    expect(authority.ca).toBe(true);
    expect(serving.verify(authority.publicKey)).toBe(true);
    expect(serving.checkIssued(authority)).toBe(true);
    expect(serving.checkHost('kubernetes.default.svc')).toBe('kubernetes.default.svc');
    for (const address of ['127.0.0.1', '10.96.0.1', 'fd00::1:2']) expect(serving.checkIP(address)).toBe(address);
    expect(() => createSecureContext({ cert: pki.servingCertificate, key: pki.servingKey })).not.toThrow();
    expect(() => createSecureContext({ cert: pki.adminCertificate, key: pki.adminKey })).not.toThrow();
    expect(new X509Certificate(pki.adminCertificate).subject).toBe('O=system:masters\nCN=kubernetes-admin');
  });

  it('keeps everything to the owner', () => {
    loadPki(folder, NAMES);
    const files = readdirSync(folder);
    expect(files).toContain('ca.key');
    for (const file of files) expect(statSync(join(folder, file)).mode & 0o777, file).toBe(0o600);
  });

  it('reads what is there, and makes only a serving certificate that lacks a name or nears its end anew', () => {
    const first = loadPki(folder, NAMES);
    expect(loadPki(folder, NAMES)).toMatchObject({
      caCertificate: first.caCertificate,
      servingCertificate: first.servingCertificate,
      adminToken: first.adminToken,
    });
    const moved = loadPki(folder, [...NAMES, '192.0.2.7']);
    expect(moved.caCertificate).toBe(first.caCertificate);
    expect(new X509Certificate(moved.servingCertificate).checkIP('192.0.2.7')).toBe('192.0.2.7');
    const later = loadPki(folder, NAMES, new Date(Date.now() + 350 * 24 * 3600 * 1000));
    expect(later.adminCertificate).not.toBe(first.adminCertificate);
    expect(later.caCertificate).toBe(first.caCertificate);
  });

  it('gives the token file its line', () => {
    const { adminToken } = loadPki(folder, NAMES);
    expect(readFileSync(join(folder, 'tokens.csv'), 'utf8')).toBe(
      `${adminToken},kubernetes-admin,kubernetes-admin,"system:masters"\n`,
    );
  });
});
