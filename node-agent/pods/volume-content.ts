/**
 * The files that a pod's configMap, secret, downwardAPI and projected volumes hold: relative path -> bytes.
 * https://kubernetes.io/docs/concepts/storage/volumes/ https://kubernetes.io/docs/concepts/storage/projected-volumes/
 */
import type { ConfigMap, KeyToPath, Pod, Secret, Volume } from 'kubernetes-types/core/v1.d.ts';
import type { Volume as NodeVolume } from '../images/files/volume.ts';
import { fieldRefValue, type NodeFacts, resourceFieldValue } from './downward-api.ts';
import type { ReferencedObjects } from './environment.ts';

export interface VolumeFile {
  readonly content: Uint8Array;
  readonly mode: number;
}

export type VolumeFiles = Map<string, VolumeFile>;

/** Shown in the event `FailedMount`; the pod waits until the object it names exists. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
}

export interface VolumeSources extends ReferencedObjects {
  readonly facts: NodeFacts;
  /** The emulated node's folder behind a hostPath, where it has one. */
  nodeFolder?(hostPath: string): NodeVolume | undefined;
  /** The machine's folder behind a hostPath, where it may be used. */
  machineFolder?(hostPath: string): string | undefined;
  /** A token of the pod's service account for an audience. */
  token(audience: string | undefined, expirationSeconds: number): Promise<string>;
}

const DEFAULT_MODE = 0o644;
const DEFAULT_TOKEN_SECONDS = 3600;

/** The files of a volume with content; undefined for kinds that begin empty (emptyDir) or stand elsewhere (hostPath). */
export async function volumeFiles(volume: Volume, pod: Pod, sources: VolumeSources): Promise<VolumeFiles | undefined> {
  const namespace = pod.metadata?.namespace ?? 'default';
  if (volume.configMap !== undefined) {
    const { name = '', items, optional = false, defaultMode = DEFAULT_MODE } = volume.configMap;
    return configMapFiles(sources.configMap(namespace, name), name, items, optional, defaultMode);
  }
  if (volume.secret !== undefined) {
    const { secretName = '', items, optional = false, defaultMode = DEFAULT_MODE } = volume.secret;
    return secretFiles(sources.secret(namespace, secretName), secretName, items, optional, defaultMode);
  }
  if (volume.downwardAPI !== undefined) {
    return downwardFiles(volume.downwardAPI.items ?? [], volume.downwardAPI.defaultMode ?? DEFAULT_MODE, pod, sources);
  }
  if (volume.projected !== undefined) return projectedFiles(volume.projected, pod, sources);
  return undefined;
}

type Projected = NonNullable<Volume['projected']>;

async function projectedFiles(projected: Projected, pod: Pod, sources: VolumeSources): Promise<VolumeFiles> {
  const mode = projected.defaultMode ?? DEFAULT_MODE;
  const namespace = pod.metadata?.namespace ?? 'default';
  const files: VolumeFiles = new Map();
  for (const source of projected.sources ?? []) {
    const { configMap, secret, downwardAPI, serviceAccountToken } = source;
    if (configMap !== undefined) {
      const name = configMap.name ?? '';
      const object = sources.configMap(namespace, name);
      addAll(files, configMapFiles(object, name, configMap.items, configMap.optional ?? false, mode));
    }
    if (secret !== undefined) {
      const name = secret.name ?? '';
      const object = sources.secret(namespace, name);
      addAll(files, secretFiles(object, name, secret.items, secret.optional ?? false, mode));
    }
    if (downwardAPI !== undefined) addAll(files, downwardFiles(downwardAPI.items ?? [], mode, pod, sources));
    if (serviceAccountToken !== undefined) {
      const seconds = serviceAccountToken.expirationSeconds ?? DEFAULT_TOKEN_SECONDS;
      files.set(serviceAccountToken.path, {
        content: utf8(await sources.token(serviceAccountToken.audience, seconds)),
        mode,
      });
    }
  }
  return files;
}

function configMapFiles(
  object: ConfigMap | undefined,
  name: string,
  items: readonly KeyToPath[] | undefined,
  optional: boolean,
  mode: number,
): VolumeFiles {
  if (object === undefined && !optional) throw new VolumeError(`configmap "${name}" not found`);
  const values = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(object?.data ?? {})) values.set(key, utf8(value));
  for (const [key, value] of Object.entries(object?.binaryData ?? {})) values.set(key, base64(value));
  return select(values, items, optional, mode, `configmap references non-existent config key`);
}

function secretFiles(
  object: Secret | undefined,
  name: string,
  items: readonly KeyToPath[] | undefined,
  optional: boolean,
  mode: number,
): VolumeFiles {
  if (object === undefined && !optional) throw new VolumeError(`secret "${name}" not found`);
  const values = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(object?.data ?? {})) values.set(key, base64(value));
  return select(values, items, optional, mode, `references non-existent secret key`);
}

function select(
  values: ReadonlyMap<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  optional: boolean,
  mode: number,
  missing: string,
): VolumeFiles {
  const files: VolumeFiles = new Map();
  if (items === undefined || items.length === 0) {
    for (const [key, content] of values) files.set(key, { content, mode });
    return files;
  }
  for (const item of items) {
    const content = values.get(item.key);
    if (content !== undefined) files.set(item.path, { content, mode: item.mode ?? mode });
    else if (!optional) throw new VolumeError(`${missing}: ${item.key}`);
  }
  return files;
}

type DownwardItems = NonNullable<NonNullable<Volume['downwardAPI']>['items']>;

function downwardFiles(items: DownwardItems, mode: number, pod: Pod, sources: VolumeSources): VolumeFiles {
  const files: VolumeFiles = new Map();
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  for (const item of items) {
    const text =
      item.fieldRef !== undefined
        ? fieldRefValue(item.fieldRef, pod, sources.facts)
        : item.resourceFieldRef !== undefined
          ? resourceFieldValue(item.resourceFieldRef, containers, undefined, sources.facts)
          : '';
    files.set(item.path, { content: utf8(text), mode: item.mode ?? mode });
  }
  return files;
}

function addAll(target: VolumeFiles, more: VolumeFiles): void {
  for (const [path, file] of more) target.set(path, file);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function base64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
