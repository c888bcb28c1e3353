/**
 * Field selectors (`spec.nodeName=worker-1,status.phase!=Running`): which fields each kind can be selected by, and the
 * match (Kubernetes documentation, "Field Selectors").
 */
import { fieldAt } from './object.ts';
import type { ResourceRef } from './resource.ts';
import { badRequest } from './status.ts';

export interface FieldRequirement {
  /** `metadata.name`, `status.phase`. */
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

/** All requirements must hold; none matches everything. */
export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[];
}

/** Reads `a=b,c!=d`; `\`, `,` and `=` in a value are escaped by `\`. BadRequest when a term has no operator. */
export function parseFieldSelector(text: string): FieldSelector {
  const requirements = splitTerms(text)
    .filter((term) => term !== '')
    .map((term) => parseTerm(term, text));
  return { requirements };
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === ',') {
      terms.push(text.slice(start, i));
      start = i + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function parseTerm(term: string, text: string): FieldRequirement {
  const match = /^([^=!]*)(!=|==|=)(.*)$/s.exec(term);
  if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
  return { field: match[1]!, equal: match[2] !== '!=', value: unescapeValue(match[3]!, term) };
}

function unescapeValue(value: string, term: string): string {
  const plain = value.replace(/\\([\\,=])/g, (_, escaped: string) => (escaped === '\\' ? '\u0000' : escaped));
  if (/\\/.test(plain) || /(^|[^\\])=/.test(value)) {
    throw badRequest(`invalid selector: can't understand the value of '${term}': escape ',', '=' and '\\' by '\\'`);
  }
  return plain.replaceAll('\u0000', '\\');
}

/** The fields beside `metadata.name` and `metadata.namespace` that a kind can be selected by, by `group/resource`. */
const SELECTABLE_FIELDS: Readonly<Record<string, readonly string[]>> = {
  '/pods': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  '/nodes': ['spec.unschedulable'],
  '/namespaces': ['status.phase'],
  '/secrets': ['type'],
  '/services': ['spec.clusterIP', 'spec.type'],
  '/replicationcontrollers': ['status.replicas'],
  '/events': [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  'events.k8s.io/events': [
    'regarding.kind',
    'regarding.namespace',
    'regarding.name',
    'regarding.uid',
    'regarding.apiVersion',
    'regarding.resourceVersion',
    'regarding.fieldPath',
    'reason',
    'reportingController',
    'type',
  ],
  'batch/jobs': ['status.successful'],
  'networking.k8s.io/ipaddresses': ['spec.parentRef.resource'],
};

/** BadRequest for a field that the kind cannot be selected by; custom resources pass their `selectableFields`. */
export function checkFieldSelector(
  selector: FieldSelector,
  resource: Pick<ResourceRef, 'group' | 'resource' | 'kind'>,
  customFields: readonly string[] = [],
): void {
  const known = SELECTABLE_FIELDS[`${resource.group}/${resource.resource}`];
  for (const { field } of selector.requirements) {
    if (field === 'metadata.name' || field === 'metadata.namespace') continue;
    if (customFields.includes(field) || known?.includes(field)) continue;
    throw badRequest(
      known === undefined
        ? `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`
        : `field label not supported: ${field}`,
    );
  }
}

/** True when every requirement holds for the object (its fields as JSON; absent reads as the field's empty value). */
export function fieldSelectorMatches(selector: FieldSelector, object: unknown): boolean {
  return selector.requirements.every(({ field, equal, value }) => (fieldText(object, field) === value) === equal);
}

/** A boolean that is absent reads as `false`, as it does after the original's decoding. */
const BOOLEAN_FIELDS = new Set(['spec.unschedulable', 'spec.hostNetwork']);

function fieldText(object: unknown, field: string): string {
  const value = readField(object, field);
  if (value === undefined || value === null) return BOOLEAN_FIELDS.has(field) ? 'false' : '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function readField(object: unknown, field: string): unknown {
  switch (field) {
    case 'source':
      return fieldAt(object, 'source', 'component') || fieldAt(object, 'reportingComponent');
    case 'reportingController':
      return fieldAt(object, 'reportingController') || fieldAt(object, 'reportingComponent');
    case 'status.successful':
      return fieldAt(object, 'status', 'succeeded') ?? 0;
    case 'status.replicas':
      return fieldAt(object, 'status', 'replicas') ?? 0;
    case 'status.podIPs':
      return fieldAt(object, 'status', 'podIP');
    default:
      return fieldAt(object, ...field.split('.'));
  }
}

/** The name that the selector pins, so that a list or watch can read one key. */
export function nameInFieldSelector(selector: FieldSelector): string | undefined {
  return selector.requirements.find(({ field, equal }) => equal && field === 'metadata.name')?.value;
}
