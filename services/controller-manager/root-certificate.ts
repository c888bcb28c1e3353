/** The certificate by which the API server is verified: from its folder, or, on another machine, from where it publishes it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigMap } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { CONFIGMAPS } from '../../shared/api/resources.ts';
import type { Environment } from '../../shared/runtime/config.ts';
import type { Informers } from './informers.ts';

const PUBLISHED_IN = 'extension-apiserver-authentication';
const NAMESPACE = 'kube-system';

/** Answers the PEM text once it is known. */
export async function rootCertificate(
  environment: Environment,
  informers: Informers,
): Promise<() => string | undefined> {
  const folder = environment.PODWIRE_API_PKI_DIR ?? join(environment.PODWIRE_STATE_DIR ?? '', 'pki');
  const fromFile = await readFile(join(folder, 'ca.crt'), 'utf8').catch(() => undefined);
  const configMaps = informers.of<Live<ConfigMap>>(CONFIGMAPS);
  return () => fromFile ?? configMaps.get(PUBLISHED_IN, NAMESPACE)?.data?.['client-ca-file'];
}
