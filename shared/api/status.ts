/**
 * Errors as the API answers them: a `Status` object with a code and a machine-readable reason
 * (Kubernetes API conventions, "Response Status Kind"). The texts are those that clients print and some compare.
 */
import { isJsonObject } from './object.ts';

export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  /** A kind for Invalid, else the plural resource. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Record<string, unknown>;
  readonly status: 'Failure' | 'Success';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code?: number;
}

export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status code. */
  readonly code: number;
  /** `NotFound`, `Conflict`, ... */
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

/** Reads a failure `Status` that came over the wire; undefined when the value is not one. */
export function apiErrorFromStatus(value: unknown): ApiError | undefined {
  if (!isJsonObject(value) || value.kind !== 'Status' || value.status !== 'Failure') return undefined;
  const code = typeof value.code === 'number' ? value.code : 500;
  const reason = typeof value.reason === 'string' ? value.reason : '';
  const message = typeof value.message === 'string' ? value.message : `status ${code}`;
  // The members of details are only ever printed or compared, never used as structure.
  const details = isJsonObject(value.details) ? (value.details as StatusDetails) : undefined;
  return new ApiError(code, reason, message, details);
}

export function isApiError(error: unknown, reason?: string): error is ApiError {
  return error instanceof ApiError && (reason === undefined || error.reason === reason);
}

/** The group and plural resource an error speaks of. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

/** The group and kind that an Invalid error speaks of. */
export interface GroupKind {
  readonly group: string;
  readonly kind: string;
}

function resourceText(of: GroupResource): string {
  return of.group === '' ? of.resource : `${of.resource}.${of.group}`;
}

function detailsOf(of: GroupResource, name: string): StatusDetails {
  return { name, ...(of.group === '' ? {} : { group: of.group }), kind: of.resource };
}

export function notFound(of: GroupResource, name: string): ApiError {
  return new ApiError(404, 'NotFound', `${resourceText(of)} "${name}" not found`, detailsOf(of, name));
}

/** For a path that no group, version or resource answers to. */
export function noSuchPath(): ApiError {
  return new ApiError(404, 'NotFound', 'the server could not find the requested resource', {});
}

export function alreadyExists(of: GroupResource, name: string): ApiError {
  return new ApiError(409, 'AlreadyExists', `${resourceText(of)} "${name}" already exists`, detailsOf(of, name));
}

export const STALE_OBJECT_MESSAGE =
  'the object has been modified; please apply your changes to the latest version and try again';

export function conflict(of: GroupResource, name: string, message = STALE_OBJECT_MESSAGE): ApiError {
  return new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${resourceText(of)} "${name}": ${message}`,
    detailsOf(of, name),
  );
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message);
}

export function unauthorized(message = 'Unauthorized'): ApiError {
  return new ApiError(401, 'Unauthorized', message);
}

export function forbidden(of: GroupResource, name: string, message: string): ApiError {
  const subject = name === '' ? `${resourceText(of)} is forbidden` : `${resourceText(of)} "${name}" is forbidden`;
  return new ApiError(403, 'Forbidden', `${subject}: ${message}`, detailsOf(of, name));
}

/** Discovery, health, metrics and the like. */
export function forbiddenPath(user: string, verb: string, path: string): ApiError {
  return new ApiError(403, 'Forbidden', `forbidden: User "${user}" cannot ${verb} path "${path}"`, {});
}

export function methodNotSupported(of: GroupResource, action: string): ApiError {
  return new ApiError(
    405,
    'MethodNotAllowed',
    `${action} is not supported on resources of kind "${resourceText(of)}"`,
    detailsOf(of, ''),
  );
}

/** A watch or a continue token asks for a revision that is gone. */
export function expired(message: string): ApiError {
  return new ApiError(410, 'Expired', message);
}

export function tooManyRequests(message: string, retryAfterSeconds: number): ApiError {
  return new ApiError(429, 'TooManyRequests', message, { retryAfterSeconds });
}

export function requestEntityTooLarge(message: string): ApiError {
  return new ApiError(413, 'RequestEntityTooLarge', message);
}

export function unsupportedMediaType(supported: readonly string[]): ApiError {
  return new ApiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${supported.join(', ')}`,
  );
}

export function notAcceptable(supported: readonly string[]): ApiError {
  return new ApiError(406, 'NotAcceptable', `only the following media types are accepted: ${supported.join(', ')}`);
}

export function timeout(message: string): ApiError {
  return new ApiError(504, 'Timeout', `Timeout: ${message}`, {});
}

export function serviceUnavailable(message: string): ApiError {
  return new ApiError(503, 'ServiceUnavailable', message);
}

export function internalError(message: string): ApiError {
  return new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
}

/** An error of one field, in the form that the API names it by. Built by the constructors in `field-error.ts`. */
export interface FieldError {
  /** `spec.ports[0].port`. */
  readonly field: string;
  /** `FieldValueInvalid`, `FieldValueRequired`, ... */
  readonly reason: string;
  /** Without the field: `Invalid value: 70000: must be ...`. */
  readonly message: string;
}

/** 422: one error stands as `field: message`, several as `[field: message, ...]`. */
export function invalid(of: GroupKind, name: string, errors: readonly FieldError[]): ApiError {
  const texts = [
    ...new Set(errors.map((error) => (error.field === '' ? error.message : `${error.field}: ${error.message}`))),
  ];
  const kind = of.group === '' ? of.kind : `${of.kind}.${of.group}`;
  const text = texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`;
  return new ApiError(422, 'Invalid', `${kind} "${name}" is invalid: ${text}`, {
    name,
    ...(of.group === '' ? {} : { group: of.group }),
    kind: of.kind,
    causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
  });
}
