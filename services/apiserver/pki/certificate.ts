/** X.509 v3 certificates (RFC 5280) on P-256 keys, signed with ECDSA and SHA-256. */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import {
  bitString,
  boolean,
  element,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts';

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
const SUBJECT_KEY_IDENTIFIER = '2.5.29.14';
const KEY_USAGE = '2.5.29.15';
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';
const BASIC_CONSTRAINTS = '2.5.29.19';
const AUTHORITY_KEY_IDENTIFIER = '2.5.29.35';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2';

/** A clock that is a little behind must not find the certificate "not yet valid". */
const BACKDATE_MS = 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;

export interface Subject {
  readonly commonName: string;
  readonly organizations?: readonly string[];
}

export interface Issuer {
  readonly subject: Subject;
  readonly privateKey: KeyObject;
}

export interface CertificateRequest {
  readonly subject: Subject;
  readonly publicKey: KeyObject;
  readonly usage: 'authority' | 'server' | 'client';
  /** DNS names and IP addresses of a server. */
  readonly names?: readonly string[];
  readonly now: Date;
  readonly validDays: number;
}

export function generateKey(): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** A signed certificate as PEM. */
export function issueCertificate(request: CertificateRequest, issuer: Issuer): string {
  const algorithm = sequence(objectIdentifier(ECDSA_WITH_SHA256));
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serialNumber()),
    algorithm,
    distinguishedName(issuer.subject),
    sequence(
      time(new Date(request.now.getTime() - BACKDATE_MS)),
      time(new Date(request.now.getTime() + request.validDays * DAY_MS)),
    ),
    distinguishedName(request.subject),
    request.publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensions(request, issuer))),
  );
  const signature = sign('sha256', toBeSigned, issuer.privateKey);
  return pem(sequence(toBeSigned, algorithm, bitString(signature)));
}

/** At most 20 octets, positive, no leading zero (RFC 5280 section 4.1.2.2). */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x01;
  return bytes;
}

function distinguishedName(subject: Subject): Buffer {
  const attribute = (type: string, value: string) => set(sequence(objectIdentifier(type), utf8String(value)));
  return sequence(
    ...(subject.organizations ?? []).map((organization) => attribute(ORGANIZATION, organization)),
    attribute(COMMON_NAME, subject.commonName),
  );
}

function extensions(request: CertificateRequest, issuer: Issuer): Buffer[] {
  const authority = request.usage === 'authority';
  const list = [
    extension(BASIC_CONSTRAINTS, true, authority ? sequence(boolean(true)) : sequence()),
    extension(KEY_USAGE, true, authority ? bitString(Buffer.from([0x06]), 1) : bitString(Buffer.from([0x80]), 7)),
    extension(SUBJECT_KEY_IDENTIFIER, false, octetString(keyIdentifier(request.publicKey))),
    extension(
      AUTHORITY_KEY_IDENTIFIER,
      false,
      sequence(implicit(0, keyIdentifier(createPublicKey(issuer.privateKey)))),
    ),
  ];
  if (!authority) {
    const purpose = request.usage === 'server' ? SERVER_AUTHENTICATION : CLIENT_AUTHENTICATION;
    list.push(extension(EXTENDED_KEY_USAGE, false, sequence(objectIdentifier(purpose))));
  }
  if (request.names !== undefined) {
    list.push(extension(SUBJECT_ALTERNATIVE_NAME, false, sequence(...request.names.map(generalName))));
  }
  return list;
}

function extension(type: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(objectIdentifier(type), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** SHA-1 of the public key's bits: a name, not a protection (RFC 5280 section 4.2.1.2, method 1). */
function keyIdentifier(publicKey: KeyObject): Buffer {
  const { x, y } = publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from([0x04]), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]);
  return createHash('sha1').update(point).digest();
}

function generalName(name: string): Buffer {
  if (isIP(name) === 4) return implicit(7, Buffer.from(name.split('.').map(Number)));
  if (isIP(name) === 6) return implicit(7, ipv6Octets(name));
  return element(0x82, Buffer.from(name, 'latin1'));
}

function ipv6Octets(address: string): Buffer {
  const [head, tail] = address.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const missing = tail === undefined ? 0 : 8 - head!.length - tail.length;
  const groups = [...head!, ...Array.from({ length: missing }, () => '0'), ...(tail ?? [])];
  const octets = Buffer.alloc(16);
  groups.forEach((group, index) => {
    octets.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  });
  return octets;
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
