/** The certificate by which the API server is verified: the API server publishes it in the cluster. */
import type { ConfigMap } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { CONFIGMAPS } from '../../shared/api/resources.ts';
import type { Informers } from './informers.ts';

export const PUBLISHED_IN = { name: 'extension-apiserver-authentication', namespace: 'kube-system' } as const;

/** The PEM text as far as it is known now. */
export function rootCertificate(informers: Informers): string | undefined {
  const published = informers.of<Live<ConfigMap>>(CONFIGMAPS).get(PUBLISHED_IN.name, PUBLISHED_IN.namespace);
  return published?.data?.['client-ca-file'];
}
