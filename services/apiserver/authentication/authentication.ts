/** Bearer tokens (the token file, service accounts) and client certificates; nobody else gets in. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { SERVICEACCOUNTS } from '../../../shared/api/resources.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import type { ServiceAccountTokens } from './service-account-token.ts';
import { AUTHENTICATED, serviceAccountUser, type User } from './user.ts';

/** What a request proves itself with. */
export interface Credentials {
  /** The Authorization header. */
  readonly authorization: string | undefined;
  /** Of a client certificate that the cluster's authority signed. */
  readonly certificate: Pick<PeerCertificate, 'subject'> | undefined;
}

interface KnownToken {
  readonly digest: Buffer;
  readonly user: User;
}

export class Authenticator {
  private readonly knownTokens: readonly KnownToken[];
  private readonly serviceAccountTokens: ServiceAccountTokens;
  private readonly storage: Pick<ObjectStorage, 'get'>;

  constructor(tokenFile: string, serviceAccountTokens: ServiceAccountTokens, storage: Pick<ObjectStorage, 'get'>) {
    this.knownTokens = readTokenFile(tokenFile);
    this.serviceAccountTokens = serviceAccountTokens;
    this.storage = storage;
  }

  /** Undefined is 401. A token that is wrong is not made good by a certificate. */
  authenticate(credentials: Credentials, nowMs: number): User | undefined {
    const token = bearerToken(credentials.authorization);
    if (token !== undefined) return this.authenticateToken(token, nowMs);
    return certificateUser(credentials.certificate);
  }

  authenticateToken(token: string, nowMs: number): User | undefined {
    return this.knownTokenUser(token) ?? this.serviceAccountTokenUser(token, nowMs);
  }

  private knownTokenUser(token: string): User | undefined {
    const digest = digestOf(token);
    return this.knownTokens.find((known) => timingSafeEqual(known.digest, digest))?.user;
  }

  /** The account must still be there, and still be the same one. */
  private serviceAccountTokenUser(token: string, nowMs: number): User | undefined {
    const claims = this.serviceAccountTokens.verify(token, nowMs);
    if (claims === undefined) return undefined;
    const { name, uid } = claims.serviceAccount;
    const account = this.storage.get(SERVICEACCOUNTS, name, claims.namespace);
    return account?.metadata.uid === uid ? serviceAccountUser(claims.namespace, name, uid) : undefined;
  }
}

function bearerToken(authorization: string | undefined): string | undefined {
  const match = /^Bearer\s+(\S+)\s*$/i.exec(authorization ?? '');
  return match?.[1];
}

function certificateUser(certificate: Credentials['certificate']): User | undefined {
  const subject = certificate?.subject;
  // Node gives an array when an attribute occurs more than once; its type says text only.
  const organizations = [(subject?.O ?? []) as string | string[]].flat();
  const name = subject?.CN;
  return typeof name === 'string' && name !== '' ? { name, groups: [...organizations, AUTHENTICATED] } : undefined;
}

/** `token,user,uid,"group1,group2"` a line, as the original's token file. */
function readTokenFile(text: string): KnownToken[] {
  return text
    .split('\n')
    .map((line) => /^([^,]+),([^,]+),([^,]*)(?:,"?([^"]*)"?)?$/.exec(line.trim()))
    .filter((match) => match !== null)
    .map(([, token, name, uid, groups]) => ({
      digest: digestOf(token!),
      user: { name: name!, uid, groups: [...(groups ?? '').split(',').filter((group) => group !== ''), AUTHENTICATED] },
    }));
}

/** Equal lengths, so that the comparison tells nothing by its time. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
