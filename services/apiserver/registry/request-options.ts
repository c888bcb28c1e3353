/** The query of a request, and the options that a DELETE may also have in its body (Kubernetes API reference, "Common Parameters"). */
import { fieldAt, isJsonObject, valueText } from '../../../shared/api/object.ts';
import { ApiError, badRequest } from '../../../shared/api/status.ts';
import { isTrue } from '../http/request-info.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  readonly fieldManager: string | undefined;
}

export type PropagationPolicy = 'Orphan' | 'Background' | 'Foreground';

export interface DeleteOptions {
  readonly dryRun: boolean;
  readonly gracePeriodSeconds: number | undefined;
  readonly propagationPolicy: PropagationPolicy | undefined;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
}

export interface ListOptions {
  readonly limit: number | undefined;
  readonly continueToken: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly resourceVersionMatch: string | undefined;
}

export interface WatchOptions {
  readonly resourceVersion: string | undefined;
  readonly allowBookmarks: boolean;
  readonly sendInitialEvents: boolean;
  readonly timeoutSeconds: number | undefined;
}

const MAX_FIELD_MANAGER_LENGTH = 128;

export function writeOptions(query: URLSearchParams): WriteOptions {
  const fieldManager = query.get('fieldManager') ?? undefined;
  if (fieldManager !== undefined && fieldManager.length > MAX_FIELD_MANAGER_LENGTH) {
    throw invalidOption('fieldManager', fieldManager, `may not be more than ${MAX_FIELD_MANAGER_LENGTH} bytes`);
  }
  return { dryRun: dryRun(query.getAll('dryRun')), fieldValidation: fieldValidation(query), fieldManager };
}

function fieldValidation(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') || 'Warn';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  throw invalidOption(
    'fieldValidation',
    value,
    'fieldValidation parameter unsupported, must be one of: "", "Ignore", "Strict", "Warn"',
  );
}

function dryRun(values: readonly string[]): boolean {
  const wanted = values.filter((value) => value !== '');
  for (const value of wanted) {
    if (value !== 'All') throw invalidOption('dryRun', value, 'supported values: "All"');
  }
  return wanted.length > 0;
}

/** What stands in the body wins over the query. */
export function deleteOptions(query: URLSearchParams, body: unknown): DeleteOptions {
  const own = isJsonObject(body) ? body : {};
  const grace = own.gracePeriodSeconds ?? integerOption(query, 'gracePeriodSeconds');
  if (grace !== undefined && (typeof grace !== 'number' || !Number.isInteger(grace) || grace < 0)) {
    throw badRequest(`gracePeriodSeconds: Invalid value: ${JSON.stringify(grace)}: must be a non-negative integer`);
  }
  const orphan = own.orphanDependents ?? booleanOption(query, 'orphanDependents');
  const policy = own.propagationPolicy ?? query.get('propagationPolicy') ?? undefined;
  if (orphan !== undefined && policy !== undefined) {
    throw invalidOption(
      'propagationPolicy',
      valueText(policy),
      'orphanDependents and deletionPropagation cannot be both set',
    );
  }
  return {
    dryRun: dryRun([...query.getAll('dryRun'), ...(Array.isArray(own.dryRun) ? own.dryRun.map(String) : [])]),
    gracePeriodSeconds: grace,
    propagationPolicy: orphan === undefined ? propagationPolicy(policy) : orphan === true ? 'Orphan' : 'Background',
    uid: text(fieldAt(own, 'preconditions', 'uid')),
    resourceVersion: text(fieldAt(own, 'preconditions', 'resourceVersion')),
  };
}

function propagationPolicy(value: unknown): PropagationPolicy | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (value === 'Orphan' || value === 'Background' || value === 'Foreground') return value;
  throw new ApiError(
    422,
    'Invalid',
    `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: ${JSON.stringify(value)}: supported values: "Background", "Foreground", "Orphan"`,
  );
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function listOptions(query: URLSearchParams): ListOptions {
  const limit = integerOption(query, 'limit');
  const options: ListOptions = {
    limit: limit === undefined || limit <= 0 ? undefined : limit,
    continueToken: query.get('continue') || undefined,
    resourceVersion: query.get('resourceVersion') || undefined,
    resourceVersionMatch: query.get('resourceVersionMatch') || undefined,
  };
  checkVersionMatch(options, query);
  if (query.has('sendInitialEvents')) {
    throw invalidListOptions('sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list');
  }
  return options;
}

function checkVersionMatch(options: ListOptions, query: URLSearchParams): void {
  const { resourceVersion, resourceVersionMatch, continueToken } = options;
  if (continueToken !== undefined && resourceVersion !== undefined && resourceVersion !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  if (resourceVersionMatch === undefined) return;
  if (resourceVersion === undefined && query.get('watch') === null) {
    throw invalidListOptions(
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    );
  }
  if (resourceVersionMatch !== 'Exact' && resourceVersionMatch !== 'NotOlderThan') {
    throw invalidListOptions(
      `resourceVersionMatch: Unsupported value: ${JSON.stringify(resourceVersionMatch)}: supported values: "Exact", "NotOlderThan"`,
    );
  }
  if (resourceVersionMatch === 'Exact' && resourceVersion === '0') {
    throw invalidListOptions(
      'resourceVersionMatch: Forbidden: resourceVersionMatch "Exact" is forbidden for resourceVersion "0"',
    );
  }
}

export function watchOptions(query: URLSearchParams): WatchOptions {
  const sendInitialEvents = booleanOption(query, 'sendInitialEvents') === true;
  if (sendInitialEvents && query.get('resourceVersionMatch') !== 'NotOlderThan') {
    throw invalidListOptions(
      'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    );
  }
  const timeoutSeconds = integerOption(query, 'timeoutSeconds');
  return {
    resourceVersion: query.get('resourceVersion') || undefined,
    allowBookmarks: booleanOption(query, 'allowWatchBookmarks') === true,
    sendInitialEvents,
    timeoutSeconds: timeoutSeconds === undefined || timeoutSeconds <= 0 ? undefined : timeoutSeconds,
  };
}

function invalidListOptions(message: string): ApiError {
  return new ApiError(422, 'Invalid', `ListOptions.meta.k8s.io "" is invalid: ${message}`);
}

/** The revision that a resourceVersion names. BadRequest when it is none. */
export function parseRevision(resourceVersion: string): number {
  const revision = /^\d{1,15}$/.test(resourceVersion) ? Number(resourceVersion) : Number.NaN;
  if (Number.isNaN(revision)) {
    throw badRequest(`Invalid value: ${JSON.stringify(resourceVersion)}: resource version must be a decimal number`);
  }
  return revision;
}

export function integerOption(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^-?\d{1,15}$/.test(value))
    throw badRequest(`${name}: Invalid value: ${JSON.stringify(value)}: must be an integer`);
  return Number(value);
}

export function booleanOption(query: URLSearchParams, name: string): boolean | undefined {
  const value = query.get(name);
  return value === null ? undefined : isTrue(value);
}

function invalidOption(name: string, value: string, detail: string): ApiError {
  return new ApiError(422, 'Invalid', `${name}: Invalid value: ${JSON.stringify(value)}: ${detail}`);
}
