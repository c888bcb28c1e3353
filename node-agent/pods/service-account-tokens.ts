/** Tokens of the service accounts that this node's pods run as (TokenRequest API), bound to the pod and kept until they grow old. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { SERVICEACCOUNTS } from '../../shared/api/resources.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { Clock } from '../../shared/runtime/clock.ts';

interface HeldToken {
  readonly token: string;
  readonly renewAtMs: number;
}

interface TokenRequest {
  readonly status?: { readonly token?: string; readonly expirationTimestamp?: string };
}

/** A token is renewed when this part of its life is over. */
const RENEW_AT = 0.8;

export class ServiceAccountTokens {
  private readonly api: ApiClient;
  private readonly clock: Clock;
  /** By pod uid, then by audience. */
  private readonly held = new Map<string, Map<string, HeldToken>>();

  constructor(api: ApiClient, clock: Clock) {
    this.api = api;
    this.clock = clock;
  }

  async token(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string> {
    const { name = '', namespace = 'default', uid = '' } = pod.metadata ?? {};
    const known = this.held.get(uid)?.get(audience ?? '');
    if (known !== undefined && this.clock.nowMs() < known.renewAtMs) return known.token;
    const account = pod.spec?.serviceAccountName ?? 'default';
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience === undefined ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    const answer = await this.api.subresource<TokenRequest>(SERVICEACCOUNTS, account, namespace, 'token', request);
    const token = answer.status?.token;
    if (token === undefined) throw new Error(`the apiserver gave no token for service account ${namespace}/${account}`);
    const nowMs = this.clock.nowMs();
    const expiresAtMs = Date.parse(answer.status?.expirationTimestamp ?? '');
    const lifeMs = Number.isNaN(expiresAtMs) ? expirationSeconds * 1000 : expiresAtMs - nowMs;
    this.remember(uid, audience ?? '', { token, renewAtMs: nowMs + lifeMs * RENEW_AT });
    return token;
  }

  forget(podUid: string): void {
    this.held.delete(podUid);
  }

  private remember(podUid: string, audience: string, token: HeldToken): void {
    const ofPod = this.held.get(podUid) ?? new Map<string, HeldToken>();
    ofPod.set(audience, token);
    this.held.set(podUid, ofPod);
  }
}
