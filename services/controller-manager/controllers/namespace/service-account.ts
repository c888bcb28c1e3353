/** Every namespace has a ServiceAccount `default` and the cluster's root certificate in ConfigMap `kube-root-ca.crt`. */
import type { ConfigMap, Namespace, ServiceAccount } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { isTerminating } from '../../../../shared/api/pod-condition.ts';
import { CONFIGMAPS, SERVICEACCOUNTS } from '../../../../shared/api/resources.ts';
import { NOTHING, type Outcome } from '../../action.ts';

export interface DefaultAccountState {
  readonly namespace: Live<Namespace>;
  readonly account: Live<ServiceAccount> | undefined;
}

export function reconcileDefaultAccount({ namespace, account }: DefaultAccountState): Outcome {
  if (isTerminating(namespace) || account !== undefined) return NOTHING;
  const metadata = { name: 'default', namespace: namespace.metadata.name };
  const object: ServiceAccount = { apiVersion: 'v1', kind: 'ServiceAccount', metadata };
  return { actions: [{ kind: 'create', resource: SERVICEACCOUNTS, object }] };
}

export const ROOT_CA_NAME = 'kube-root-ca.crt';

export interface RootCaState {
  readonly namespace: Live<Namespace>;
  readonly configMap: Live<ConfigMap> | undefined;
  /** PEM; undefined while it is not known. */
  readonly certificate: string | undefined;
}

export function reconcileRootCa({ namespace, configMap, certificate }: RootCaState): Outcome {
  if (certificate === undefined || isTerminating(namespace)) return NOTHING;
  const data = { 'ca.crt': certificate };
  if (configMap === undefined) {
    const object: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: ROOT_CA_NAME,
        namespace: namespace.metadata.name,
        annotations: {
          'kubernetes.io/description':
            'The CA certificate by which the API server of this cluster is verified, for pods in this namespace.',
        },
      },
      data,
    };
    return { actions: [{ kind: 'create', resource: CONFIGMAPS, object }] };
  }
  if (configMap.data?.['ca.crt'] === certificate && Object.keys(configMap.data).length === 1) return NOTHING;
  return { actions: [{ kind: 'update', resource: CONFIGMAPS, object: { ...configMap, data } }] };
}
