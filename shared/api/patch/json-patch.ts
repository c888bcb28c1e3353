/** JSON Patch (RFC 6902), with the original's limits and errors. */
import { applyPatch, type Operation } from 'rfc6902';
import { isJsonObject } from '../object.ts';
import { ApiError, badRequest, requestEntityTooLarge } from '../status.ts';

const MAXIMUM_OPERATIONS = 10_000;
const OPERATIONS = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test']);
const NEED_VALUE = new Set(['add', 'replace', 'test']);
const NEED_FROM = new Set(['move', 'copy']);

/**
 * A new value; `target` is not changed. BadRequest when the patch is not a list of operations, Invalid (422) when one
 * cannot be applied or a test fails: like the original, it does not say which.
 */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  const operations = decodeOperations(patch);
  // A holder takes what replaces the whole document, which the library cannot hand back otherwise.
  const holder = { document: structuredClone(target) };
  const inHolder = operations.map((operation) => ({
    ...operation,
    path: `/document${operation.path}`,
    ...(operation.op === 'move' || operation.op === 'copy' ? { from: `/document${operation.from}` } : {}),
  })) as Operation[];
  if (!isApplied(holder, inHolder)) throw rejected();
  return holder.document;
}

function isApplied(holder: object, operations: Operation[]): boolean {
  try {
    return applyPatch(holder, operations).every((error) => error === null);
  } catch (error) {
    // The library tells the values of a failed test as text, which an object with a `toString` of its own has not.
    if (error instanceof TypeError) return false;
    throw error;
  }
}

function decodeOperations(patch: unknown): Operation[] {
  if (!Array.isArray(patch)) throw badRequest('error decoding patch: a JSON Patch is a list of operations');
  if (patch.length > MAXIMUM_OPERATIONS) {
    throw requestEntityTooLarge(
      `The allowed maximum operations in a JSON patch is ${MAXIMUM_OPERATIONS}, got ${patch.length}`,
    );
  }
  return patch.map(decodeOperation);
}

function decodeOperation(value: unknown, i: number): Operation {
  if (!isJsonObject(value)) throw badRequest(`error decoding patch: operation ${i} is no object`);
  const { op, path, from } = value;
  if (typeof op !== 'string' || !OPERATIONS.has(op)) throw rejected();
  if (!isPointer(path)) throw rejected();
  if (NEED_FROM.has(op) && !isPointer(from)) throw rejected();
  if (NEED_VALUE.has(op) && !Object.hasOwn(value, 'value')) throw rejected();
  return value as unknown as Operation;
}

function isPointer(value: unknown): value is string {
  return typeof value === 'string' && (value === '' || value.startsWith('/'));
}

function rejected(): ApiError {
  return new ApiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
}
