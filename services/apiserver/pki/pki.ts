/**
 * The cluster's keys: a certificate authority, the serving certificate, the administrator's client certificate and
 * bearer token, and the key that signs service account tokens. Made at the first start, read afterwards.
 */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { generateKey, type Issuer, issueCertificate, type Subject } from './certificate.ts';

const AUTHORITY: Subject = { commonName: 'podwire-ca' };
const ADMIN: Subject = { commonName: 'kubernetes-admin', organizations: ['system:masters'] };
const SERVER: Subject = { commonName: 'kube-apiserver' };
const AUTHORITY_DAYS = 3650;
const LEAF_DAYS = 365;
const RENEW_BEFORE_MS = 30 * 24 * 60 * 60 * 1000;

export interface Pki {
  readonly caCertificate: string;
  readonly servingCertificate: string;
  readonly servingKey: string;
  readonly adminCertificate: string;
  readonly adminKey: string;
  readonly adminToken: string;
  /** The token file, one `token,user,uid,"group,..."` a line. */
  readonly tokenFile: string;
  readonly serviceAccountKey: KeyObject;
}

/**
 * Reads the keys in `folder`, or makes what is missing. A leaf certificate is made anew when it nears its end, or when
 * the serving one does not name all of `servingNames` (DNS names and IP addresses).
 * Several apiservers may start on one folder at once: whoever links a file first wins, the others read it.
 */
export function loadPki(folder: string, servingNames: readonly string[], now = new Date()): Pki {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = (name: string) => join(folder, name);
  const authorityKey = loadKey(file('ca.key'));
  const issuer: Issuer = { subject: AUTHORITY, privateKey: authorityKey };
  const caCertificate = loadOnce(file('ca.crt'), () =>
    issueCertificate(
      {
        subject: AUTHORITY,
        publicKey: createPublicKey(authorityKey),
        usage: 'authority',
        now,
        validDays: AUTHORITY_DAYS,
      },
      issuer,
    ),
  );
  const leaf = (name: string, subject: Subject, usage: 'server' | 'client', names?: readonly string[]) => {
    const key = loadKey(file(`${name}.key`));
    const certificate = loadLeaf(file(`${name}.crt`), { caCertificate, names: names ?? [], now }, () =>
      issueCertificate(
        { subject, publicKey: createPublicKey(key), usage, now, validDays: LEAF_DAYS, ...(names && { names }) },
        issuer,
      ),
    );
    return { certificate, key: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
  };
  const serving = leaf('apiserver', SERVER, 'server', servingNames);
  const admin = leaf('admin', ADMIN, 'client');
  const adminToken = loadOnce(file('admin.token'), () => `${randomBytes(24).toString('base64url')}\n`).trim();
  return {
    caCertificate,
    servingCertificate: serving.certificate,
    servingKey: serving.key,
    adminCertificate: admin.certificate,
    adminKey: admin.key,
    adminToken,
    tokenFile: loadOnce(
      file('tokens.csv'),
      () => `${adminToken},${ADMIN.commonName},${ADMIN.commonName},"${ADMIN.organizations!.join(',')}"\n`,
    ),
    serviceAccountKey: loadKey(file('sa.key')),
  };
}

function loadKey(path: string): KeyObject {
  return createPrivateKey(
    loadOnce(path, () => generateKey().privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
  );
}

function loadOnce(path: string, make: () => string): string {
  if (!existsSync(path)) writePrivateFile(path, make(), { replace: false });
  return readFileSync(path, 'utf8');
}

interface LeafDemands {
  readonly caCertificate: string;
  readonly names: readonly string[];
  readonly now: Date;
}

function loadLeaf(path: string, demands: LeafDemands, make: () => string): string {
  if (existsSync(path)) {
    const present = readFileSync(path, 'utf8');
    if (leafMeets(present, demands)) return present;
  }
  writePrivateFile(path, make(), { replace: true });
  return readFileSync(path, 'utf8');
}

function leafMeets(pem: string, demands: LeafDemands): boolean {
  const certificate = new X509Certificate(pem);
  return (
    certificate.verify(new X509Certificate(demands.caCertificate).publicKey) &&
    new Date(certificate.validTo).getTime() - demands.now.getTime() > RENEW_BEFORE_MS &&
    demands.names.every(
      (name) => (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined,
    )
  );
}

/**
 * Writes a file that only its owner reads. It appears whole or not at all, and is on disk when this returns.
 * Without `replace`, a file that is already there stays.
 */
export function writePrivateFile(path: string, text: string, options: { replace: boolean }): void {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  if (options.replace) {
    renameSync(draft, path);
    return;
  }
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(draft);
  }
}
