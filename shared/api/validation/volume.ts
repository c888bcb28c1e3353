/** Volumes of pods, and where the variables of containers come from (Kubernetes API reference, "Volume", "EnvVar"). */
import type { EnvFromSource, EnvVar, HTTPGetAction, Volume } from 'kubernetes-types/core/v1.js';
import type { FieldError } from '../status.ts';
import { forbiddenValue, invalidValue, requiredValue, unsupportedValue } from './field-error.ts';
import { dnsLabel, envVarName, oneOf, portReference, type Rule, type TypeRules } from './rule.ts';

const ENV_SOURCES = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef'] as const;

function envErrors({ value, valueFrom }: EnvVar, path: string): FieldError[] {
  if (valueFrom === undefined) return [];
  const at = `${path}.valueFrom`;
  const given = ENV_SOURCES.filter((source) => valueFrom[source] !== undefined);
  if (value) return [invalidValue(at, '', 'may not be specified when `value` is not empty')];
  if (given.length === 1) return [];
  if (given.length > 1) return [invalidValue(at, '', 'may not have more than one field specified at a time')];
  const detail = 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`';
  return [invalidValue(at, '', detail)];
}

function envFromErrors({ configMapRef, secretRef }: EnvFromSource, path: string): FieldError[] {
  if (configMapRef === undefined && secretRef === undefined) {
    return [invalidValue(path, '', 'must specify one of: `configMapRef` or `secretRef`')];
  }
  return configMapRef !== undefined && secretRef !== undefined
    ? [invalidValue(path, '', 'may not have more than one field specified at a time')]
    : [];
}

/** The original's name of the field is required where its schema leaves it open. */
function named(what: object | undefined, path: string, field: string): FieldError[] {
  if (what === undefined) return [];
  return (what as Record<string, unknown>)[field] ? [] : [requiredValue(`${path}.${field}`)];
}

function volumeErrors(volume: Volume, path: string): FieldError[] {
  const sources = Object.keys(volume).filter((field) => field !== 'name');
  if (sources.length === 0) return [requiredValue(path, 'must specify a volume type')];
  return [
    ...named(volume.configMap, `${path}.configMap`, 'name'),
    ...named(volume.secret, `${path}.secret`, 'secretName'),
    ...sources.slice(1).map((source) => forbiddenValue(`${path}.${source}`, 'may not specify more than 1 volume type')),
  ];
}

const ENV_FIELD_PATHS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
/** Fields that a selector may name, though no variable may hold them. */
const KNOWN_FIELD_PATHS = new Set([
  ...ENV_FIELD_PATHS,
  'metadata.annotations',
  'metadata.labels',
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
]);
const SUBSCRIPTED = /^metadata\.(labels|annotations)\['[^']*'\]$/;

/** Files of a downward API volume hold all labels too; variables hold one. */
const fieldPath: Rule = (value, path) => {
  const text = String(value);
  if (SUBSCRIPTED.test(text)) return [];
  if (!KNOWN_FIELD_PATHS.has(text)) {
    return [invalidValue(path, text, `error converting fieldPath: field label not supported: ${text}`)];
  }
  const isVariable = path.includes('.valueFrom.');
  return isVariable && !ENV_FIELD_PATHS.includes(text) ? [unsupportedValue(path, text, ENV_FIELD_PATHS)] : [];
};

const HEADER_NAME = /^[-A-Za-z0-9]+$/;
const HEADER_NAME_MESSAGE =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";

function headerErrors({ httpHeaders = [] }: HTTPGetAction, path: string): FieldError[] {
  return httpHeaders.flatMap(({ name }, i) =>
    HEADER_NAME.test(name) ? [] : [invalidValue(`${path}.httpHeaders[${i}]`, name, HEADER_NAME_MESSAGE)],
  );
}

export const withoutDoubleDots: Rule = (value, path) =>
  typeof value === 'string' && value.split('/').includes('..')
    ? [invalidValue(path, value, "must not contain '..'")]
    : [];

const relativePath: Rule = (value, path) => {
  if (typeof value !== 'string') return [];
  return value.startsWith('/')
    ? [invalidValue(path, value, 'must be a relative path')]
    : withoutDoubleDots(value, path);
};

const fileMode: Rule = (value, path) =>
  typeof value === 'number' && (value < 0 || value > 0o777)
    ? [invalidValue(path, value, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : [];

const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;

const tokenSeconds: Rule = (value, path) => {
  if (typeof value !== 'number') return [];
  if (value < MIN_TOKEN_SECONDS) return [invalidValue(path, value, 'may not specify a duration less than 10 minutes')];
  return value > MAX_TOKEN_SECONDS
    ? [invalidValue(path, value, 'may not specify a duration larger than 2^32 seconds')]
    : [];
};

const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

export const VOLUME_RULES: Readonly<Record<string, TypeRules>> = {
  'core.v1.EnvVar': { fields: { name: envVarName }, object: envErrors },
  'core.v1.EnvFromSource': { object: envFromErrors },
  'core.v1.ConfigMapEnvSource': { object: (source: object, path) => named(source, path, 'name') },
  'core.v1.SecretEnvSource': { object: (source: object, path) => named(source, path, 'name') },
  'core.v1.ConfigMapKeySelector': { object: (source: object, path) => named(source, path, 'name') },
  'core.v1.SecretKeySelector': { object: (source: object, path) => named(source, path, 'name') },
  'core.v1.ObjectFieldSelector': { fields: { fieldPath } },
  'core.v1.ExecAction': {
    object: ({ command = [] }: { command?: readonly string[] }, path) =>
      command.length === 0 ? [requiredValue(`${path}.command`)] : [],
  },
  'core.v1.HTTPGetAction': {
    fields: { port: portReference, scheme: oneOf('HTTP', 'HTTPS') },
    object: headerErrors,
  },
  'core.v1.Volume': { fields: { name: dnsLabel }, object: volumeErrors },
  'core.v1.KeyToPath': { fields: { path: relativePath, mode: fileMode } },
  'core.v1.ConfigMapVolumeSource': { fields: { defaultMode: fileMode } },
  'core.v1.SecretVolumeSource': { fields: { defaultMode: fileMode } },
  'core.v1.ProjectedVolumeSource': { fields: { defaultMode: fileMode } },
  'core.v1.DownwardAPIVolumeSource': { fields: { defaultMode: fileMode } },
  'core.v1.DownwardAPIVolumeFile': { fields: { path: relativePath, mode: fileMode } },
  'core.v1.HostPathVolumeSource': { fields: { path: withoutDoubleDots, type: oneOf(...HOST_PATH_TYPES) } },
  'core.v1.ServiceAccountTokenProjection': {
    fields: { expirationSeconds: tokenSeconds, path: relativePath },
  },
};
