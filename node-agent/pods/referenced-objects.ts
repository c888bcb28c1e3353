/**
 * The ConfigMaps, Secrets and Services that this node's pods refer to. Informers hold them; what a pod names and an
 * informer has not seen yet (a ConfigMap applied a moment before its pod) is asked for directly.
 */
import type { ConfigMap, Pod, Secret, Service } from 'kubernetes-types/core/v1.d.ts';
import type { ResourceRef } from '../../shared/api/resource.ts';
import { CONFIGMAPS, SECRETS, SERVICES } from '../../shared/api/resources.ts';
import { isApiError } from '../../shared/api/status.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import type { ReferencedObjects } from './environment.ts';
import { references } from './pod-references.ts';

export class ReferencedObjectCache implements ReferencedObjects {
  private readonly api: ApiClient;
  private readonly configMaps: Informer<ConfigMap>;
  private readonly secrets: Informer<Secret>;
  private readonly serviceInformer: Informer<Service>;
  /** Read directly; dropped once an informer has the object. */
  private readonly fetched = new Map<string, ConfigMap | Secret>();
  private secretsStarted: Promise<void> | undefined;

  constructor(bus: Bus, api: ApiClient) {
    this.api = api;
    this.configMaps = createInformer<ConfigMap>(bus, CONFIGMAPS);
    this.secrets = createInformer<Secret>(bus, SECRETS);
    this.serviceInformer = createInformer<Service>(bus, SERVICES);
  }

  /** Secrets join with the first pod that refers to one. */
  async start(): Promise<void> {
    await Promise.all([this.configMaps.start(), this.serviceInformer.start()]);
  }

  stop(): void {
    this.configMaps.stop();
    this.serviceInformer.stop();
    if (this.secretsStarted !== undefined) this.secrets.stop();
  }

  /** Told with the namespace and name of every ConfigMap or Secret that changes. */
  onChange(listener: (namespace: string, name: string) => void): void {
    const tell = (object: ConfigMap | Secret): void =>
      listener(object.metadata?.namespace ?? '', object.metadata?.name ?? '');
    this.configMaps.subscribe({ added: tell, updated: tell });
    this.secrets.subscribe({ added: tell, updated: tell });
  }

  /** Resolves once everything the pod refers to and that exists can be had from `configMap` and `secret`. */
  async load(pod: Pod): Promise<void> {
    const namespace = pod.metadata?.namespace ?? 'default';
    const { configMaps, secrets } = references(pod);
    if (secrets.size > 0) {
      this.secretsStarted ??= this.secrets.start();
      await this.secretsStarted;
    }
    const missing = [
      ...[...configMaps]
        .filter((name) => this.configMap(namespace, name) === undefined)
        .map((n) => [CONFIGMAPS, n] as const),
      ...[...secrets].filter((name) => this.secret(namespace, name) === undefined).map((n) => [SECRETS, n] as const),
    ];
    await Promise.all(missing.map(([resource, name]) => this.fetch(resource, namespace, name)));
  }

  configMap(namespace: string, name: string): ConfigMap | undefined {
    return this.configMaps.get(name, namespace) ?? (this.fetched.get(key(CONFIGMAPS, namespace, name)) as ConfigMap);
  }

  secret(namespace: string, name: string): Secret | undefined {
    return this.secrets.get(name, namespace) ?? (this.fetched.get(key(SECRETS, namespace, name)) as Secret);
  }

  services(namespace: string): readonly Service[] {
    return this.serviceInformer.list(namespace);
  }

  private async fetch(resource: ResourceRef, namespace: string, name: string): Promise<void> {
    const at = key(resource, namespace, name);
    try {
      this.fetched.set(at, await this.api.get<ConfigMap | Secret>(resource, name, namespace));
    } catch (error) {
      this.fetched.delete(at);
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }
}

function key(resource: ResourceRef, namespace: string, name: string): string {
  return `${resource.resource}/${namespace}/${name}`;
}
