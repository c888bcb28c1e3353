/** What the controllers of namespaces watch. */
import type { ConfigMap, Namespace, ServiceAccount } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import { isTerminating } from '../../../shared/api/pod-condition.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import { CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS } from '../../../shared/api/resources.ts';
import type { ApiClient } from '../../../shared/bus/api-client.ts';
import { type Controller, keyOf, keysFrom } from '../controller.ts';
import type { Informers } from '../informers.ts';
import { PUBLISHED_IN, rootCertificate } from '../root-certificate.ts';
import type { AllResources } from './custom-resources.ts';
import { type NamespaceContent, type NamespaceState, reconcileNamespace } from './namespace/namespace.ts';
import {
  type DefaultAccountState,
  ROOT_CA_NAME,
  type RootCaState,
  reconcileDefaultAccount,
  reconcileRootCa,
} from './namespace/service-account.ts';

export function defaultAccountController(informers: Informers): Controller<DefaultAccountState> {
  const namespaces = informers.of<Live<Namespace>>(NAMESPACES);
  const accounts = informers.of<Live<ServiceAccount>>(SERVICEACCOUNTS);
  return {
    name: 'service-account-controller',
    sources: [
      keysFrom(namespaces, (namespace) => [keyOf(namespace)]),
      keysFrom(accounts, ({ metadata }) => (metadata.name === 'default' ? [`/${metadata.namespace}`] : [])),
    ],
    gather(key) {
      const name = key.slice(1);
      const namespace = namespaces.get(name);
      return namespace === undefined ? undefined : { namespace, account: accounts.get('default', name) };
    },
    reconcile: reconcileDefaultAccount,
  };
}

export function rootCaController(informers: Informers): Controller<RootCaState> {
  const namespaces = informers.of<Live<Namespace>>(NAMESPACES);
  const configMaps = informers.of<Live<ConfigMap>>(CONFIGMAPS);
  return {
    name: 'root-ca-certificate-publisher',
    sources: [
      keysFrom(namespaces, (namespace) => [keyOf(namespace)]),
      keysFrom(configMaps, ({ metadata }) => (metadata.name === ROOT_CA_NAME ? [`/${metadata.namespace}`] : [])),
      // Once the certificate is known, or another, every namespace is due.
      keysFrom(configMaps, ({ metadata }) => (isPublished(metadata) ? namespaces.list().map(keyOf) : [])),
    ],
    gather(key) {
      const name = key.slice(1);
      const namespace = namespaces.get(name);
      if (namespace === undefined) return undefined;
      return { namespace, configMap: configMaps.get(ROOT_CA_NAME, name), certificate: rootCertificate(informers) };
    },
    reconcile: reconcileRootCa,
  };
}

function isPublished({ name, namespace }: Live<ConfigMap>['metadata']): boolean {
  return name === PUBLISHED_IN.name && namespace === PUBLISHED_IN.namespace;
}

export function namespaceController(
  informers: Informers,
  api: ApiClient,
  resources: AllResources,
): Controller<NamespaceState> {
  const namespaces = informers.of<Live<Namespace>>(NAMESPACES);
  return {
    name: 'namespace-controller',
    sources: [keysFrom(namespaces, (namespace) => [keyOf(namespace)])],
    async gather(key) {
      const namespace = namespaces.get(key.slice(1));
      if (namespace === undefined || !isTerminating(namespace)) return undefined;
      const contents = await Promise.all(
        resources.namespaced().map((resource) => contentOf(api, resource, namespace.metadata.name)),
      );
      return { namespace, contents };
    },
    reconcile: reconcileNamespace,
  };
}

async function contentOf(api: ApiClient, resource: ResourceRef, namespace: string): Promise<NamespaceContent> {
  const { items } = await api.list<KubeObject>(resource, { namespace });
  return { resource, objects: items };
}
