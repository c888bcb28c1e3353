/**
 * Bound service account tokens: JSON Web Tokens signed with ES256 (RFC 7519, RFC 7518 section 3.4) by the cluster's
 * service account key (Kubernetes "Managing Service Accounts", "Bound service account tokens").
 */
import { createHash, createPublicKey, type KeyObject, randomUUID, sign, verify } from 'node:crypto';
import { isJsonObject, type JsonObject } from '../../../shared/api/object.ts';

export interface BoundObject {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export interface TokenClaims {
  readonly namespace: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
  readonly audiences: readonly string[];
  /** Seconds since 1970. */
  readonly expiresAt: number;
  readonly boundTo?: BoundObject;
}

/** The public half, as `/openid/v1/jwks` shows it. */
export interface JsonWebKeySet {
  readonly keys: readonly JsonObject[];
}

const MAX_TOKEN_LENGTH = 8192;

export class ServiceAccountTokens {
  readonly issuer: string;
  private readonly privateKey: KeyObject;
  private readonly publicKey: KeyObject;
  private readonly keyId: string;

  constructor(privateKey: KeyObject, issuer: string) {
    this.issuer = issuer;
    this.privateKey = privateKey;
    this.publicKey = createPublicKey(privateKey);
    this.keyId = createHash('sha256')
      .update(this.publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64url');
  }

  issue(claims: TokenClaims, nowMs: number): string {
    const { serviceAccount, boundTo } = claims;
    const now = Math.floor(nowMs / 1000);
    const payload = {
      aud: claims.audiences,
      exp: claims.expiresAt,
      iat: now,
      iss: this.issuer,
      jti: randomUUID(),
      'kubernetes.io': {
        namespace: claims.namespace,
        serviceaccount: { name: serviceAccount.name, uid: serviceAccount.uid },
        ...(boundTo === undefined ? {} : { [boundTo.kind.toLowerCase()]: { name: boundTo.name, uid: boundTo.uid } }),
      },
      nbf: now,
      sub: `system:serviceaccount:${claims.namespace}:${serviceAccount.name}`,
    };
    const signed = `${base64Json({ alg: 'ES256', kid: this.keyId })}.${base64Json(payload)}`;
    const signature = sign('sha256', Buffer.from(signed), { key: this.privateKey, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }

  /** The claims of a token that this cluster signed and that has not expired; else undefined. */
  verify(token: string, nowMs: number): TokenClaims | undefined {
    const parts = token.length > MAX_TOKEN_LENGTH ? [] : token.split('.');
    if (parts.length !== 3) return undefined;
    const [header, payload, signature] = parts;
    const genuine = verify(
      'sha256',
      Buffer.from(`${header}.${payload}`),
      { key: this.publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature!, 'base64url'),
    );
    if (!genuine) return undefined;
    const claims = readClaims(parseJson(payload!), this.issuer);
    return claims !== undefined && claims.expiresAt * 1000 > nowMs ? claims : undefined;
  }

  keySet(): JsonWebKeySet {
    return { keys: [{ ...this.publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: this.keyId }] };
  }
}

function base64Json(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function parseJson(base64: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64, 'base64url').toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readClaims(payload: unknown, issuer: string): TokenClaims | undefined {
  if (!isJsonObject(payload) || payload.iss !== issuer || typeof payload.exp !== 'number') return undefined;
  const own = payload['kubernetes.io'];
  if (!isJsonObject(own) || typeof own.namespace !== 'string') return undefined;
  const serviceAccount = readReference(own.serviceaccount);
  if (serviceAccount === undefined || !Array.isArray(payload.aud)) return undefined;
  const pod = readReference(own.pod);
  return {
    namespace: own.namespace,
    serviceAccount,
    audiences: payload.aud.filter((audience) => typeof audience === 'string'),
    expiresAt: payload.exp,
    ...(pod === undefined ? {} : { boundTo: { kind: 'Pod', ...pod } }),
  };
}

function readReference(value: unknown): { name: string; uid: string } | undefined {
  if (!isJsonObject(value) || typeof value.name !== 'string' || typeof value.uid !== 'string') return undefined;
  return { name: value.name, uid: value.uid };
}
