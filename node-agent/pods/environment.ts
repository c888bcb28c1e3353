/**
 * The environment of a container: service variables, then `envFrom`, then `env` in order, each able to use what stands
 * before it.
 * https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
import type { ConfigMap, Container, EnvVar, Pod, Secret, Service } from 'kubernetes-types/core/v1.d.ts';
import { fieldRefValue, type NodeFacts, resourceFieldValue } from './downward-api.ts';
import { expandVariables } from './variable-expansion.ts';

/** The objects a pod's specification can refer to; undefined when the object does not exist. */
export interface ReferencedObjects {
  configMap(namespace: string, name: string): ConfigMap | undefined;
  secret(namespace: string, name: string): Secret | undefined;
  /** Services of a namespace. */
  services(namespace: string): readonly Service[];
}

/** Shown as `CreateContainerConfigError` until the object it names exists. */
export class ContainerConfigError extends Error {
  override readonly name = 'ContainerConfigError';
}

const VARIABLE_NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

export function containerEnvironment(
  pod: Pod,
  container: Container,
  objects: ReferencedObjects,
  facts: NodeFacts,
): Record<string, string> {
  const namespace = pod.metadata?.namespace ?? 'default';
  const result = new Map<string, string>();
  const services = serviceVariables(namespace, pod.spec?.enableServiceLinks ?? true, objects);
  for (const source of container.envFrom ?? []) {
    for (const [key, value] of envFromValues(source, namespace, objects)) {
      if (VARIABLE_NAME.test(key)) result.set(key, value);
    }
  }
  const lookup = (name: string): string | undefined => result.get(name) ?? services.get(name);
  for (const variable of container.env ?? []) {
    const value = variableValue(variable, { pod, container, namespace, objects, facts, lookup });
    if (value !== undefined) result.set(variable.name, value);
  }
  return Object.fromEntries([...services, ...result]);
}

type EnvFrom = NonNullable<Container['envFrom']>[number];

function envFromValues(source: EnvFrom, namespace: string, objects: ReferencedObjects): [string, string][] {
  const prefix = source.prefix ?? '';
  if (source.configMapRef !== undefined) {
    const { name = '', optional = false } = source.configMapRef;
    const data = objects.configMap(namespace, name)?.data;
    if (data === undefined && !optional && objects.configMap(namespace, name) === undefined) {
      throw new ContainerConfigError(`configmap "${name}" not found`);
    }
    return Object.entries(data ?? {}).map(([key, value]) => [prefix + key, value]);
  }
  if (source.secretRef !== undefined) {
    const { name = '', optional = false } = source.secretRef;
    const secret = objects.secret(namespace, name);
    if (secret === undefined && !optional) throw new ContainerConfigError(`secret "${name}" not found`);
    return Object.keys(secret?.data ?? {}).map((key) => [prefix + key, secretText(secret!, key) ?? '']);
  }
  return [];
}

interface VariableScope {
  readonly pod: Pod;
  readonly container: Container;
  readonly namespace: string;
  readonly objects: ReferencedObjects;
  readonly facts: NodeFacts;
  readonly lookup: (name: string) => string | undefined;
}

function variableValue(variable: EnvVar, scope: VariableScope): string | undefined {
  const source = variable.valueFrom;
  if (source === undefined) return expandVariables(variable.value ?? '', scope.lookup);
  if (source.fieldRef !== undefined) return fieldRefValue(source.fieldRef, scope.pod, scope.facts);
  if (source.resourceFieldRef !== undefined) {
    const containers = [...(scope.pod.spec?.initContainers ?? []), ...(scope.pod.spec?.containers ?? [])];
    return resourceFieldValue(source.resourceFieldRef, containers, scope.container, scope.facts);
  }
  if (source.configMapKeyRef !== undefined) {
    const { name = '', key, optional = false } = source.configMapKeyRef;
    const configMap = scope.objects.configMap(scope.namespace, name);
    return required(configMap?.data?.[key], optional, 'configmap', name, key, scope.namespace, configMap !== undefined);
  }
  if (source.secretKeyRef !== undefined) {
    const { name = '', key, optional = false } = source.secretKeyRef;
    const secret = scope.objects.secret(scope.namespace, name);
    const value = secret === undefined ? undefined : secretText(secret, key);
    return required(value, optional, 'secret', name, key, scope.namespace, secret !== undefined);
  }
  return '';
}

function required(
  value: string | undefined,
  optional: boolean,
  kind: 'configmap' | 'secret',
  name: string,
  key: string,
  namespace: string,
  exists: boolean,
): string | undefined {
  if (value !== undefined || optional) return value;
  if (!exists) throw new ContainerConfigError(`${kind} "${name}" not found`);
  const shown = kind === 'configmap' ? 'ConfigMap' : 'Secret';
  throw new ContainerConfigError(`couldn't find key ${key} in ${shown} ${namespace}/${name}`);
}

/** A value of a Secret as text; undefined when there is no such key. */
export function secretText(secret: Secret, key: string): string | undefined {
  const encoded = secret.data?.[key];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
}

/** `WEB_SERVICE_HOST`, `WEB_PORT_80_TCP_ADDR`, ...: those of `default/kubernetes` always, the namespace's own if wanted. */
function serviceVariables(namespace: string, links: boolean, objects: ReferencedObjects): Map<string, string> {
  const variables = new Map<string, string>();
  const chosen = new Map<string, Service>();
  for (const service of objects.services('default')) {
    if (service.metadata?.name === 'kubernetes') chosen.set('kubernetes', service);
  }
  if (links) for (const service of objects.services(namespace)) chosen.set(service.metadata?.name ?? '', service);
  for (const [name, service] of chosen) addServiceVariables(variables, name, service);
  return variables;
}

function addServiceVariables(variables: Map<string, string>, name: string, service: Service): void {
  const address = service.spec?.clusterIP;
  const ports = service.spec?.ports ?? [];
  const first = ports[0];
  if (address === undefined || address === '' || address === 'None' || first === undefined) return;
  const prefix = name.toUpperCase().replaceAll('-', '_');
  variables.set(`${prefix}_SERVICE_HOST`, address);
  variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
  for (const port of ports) {
    if (port.name)
      variables.set(`${prefix}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`, String(port.port));
  }
  variables.set(`${prefix}_PORT`, `${(first.protocol ?? 'TCP').toLowerCase()}://${address}:${first.port}`);
  for (const port of ports) {
    const protocol = port.protocol ?? 'TCP';
    const base = `${prefix}_PORT_${port.port}_${protocol}`;
    variables.set(base, `${protocol.toLowerCase()}://${address}:${port.port}`);
    variables.set(`${base}_PROTO`, protocol.toLowerCase());
    variables.set(`${base}_PORT`, String(port.port));
    variables.set(`${base}_ADDR`, address);
  }
}
