/** The policies of a YAML or JSON file, for `--what-if`. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { isJsonObject, type JsonObject } from '../../shared/api/object.ts';
import { messageOf, UserError } from '../user-error.ts';
import { POLICY_RESOURCES, type PolicyObject } from './cluster-objects.ts';

/** `-` is standard input. Objects that name no namespace get `namespace`, if their kind has one. */
export function readPolicyFile(path: string, namespace: string): PolicyObject[] {
  let text: string;
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new UserError(`the policies cannot be read: ${messageOf(error)}`);
  }
  const policies = parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new UserError(`${path} is no YAML: ${error.message.split('\n')[0]}`);
    const value: unknown = document.toJS();
    return value === null ? [] : itemsOf(value).map((item) => policyObject(item, path, namespace));
  });
  if (policies.length === 0) throw new UserError(`${path} has no policy in it`);
  return policies;
}

function itemsOf(value: unknown): unknown[] {
  return isJsonObject(value) && value.kind === 'List' && Array.isArray(value.items) ? value.items : [value];
}

function policyObject(value: unknown, path: string, namespace: string): PolicyObject {
  const kind = isJsonObject(value) ? value.kind : undefined;
  const group = isJsonObject(value) ? String(value.apiVersion).split('/')[0] : undefined;
  const ofKind = POLICY_RESOURCES.filter((one) => one.kind === kind);
  const resource = ofKind.find((one) => one.group === group) ?? ofKind[0];
  if (!isJsonObject(value) || resource === undefined) {
    const kinds = [...new Set(POLICY_RESOURCES.map((one) => one.kind))].join(', ');
    throw new UserError(`${path} has a ${String(kind ?? 'document without a kind')}: --what-if takes ${kinds}`);
  }
  const metadata: JsonObject = isJsonObject(value.metadata) ? value.metadata : {};
  if (typeof metadata.name !== 'string') throw new UserError(`${path} has a ${resource.kind} without a name`);
  const placed = resource.namespaced ? { namespace, ...metadata } : metadata;
  return { resource, object: { ...value, metadata: placed } as PolicyObject['object'] };
}
