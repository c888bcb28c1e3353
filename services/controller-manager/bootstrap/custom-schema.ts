/** The words in which schemas of custom resources are written here. */
import type { JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.js';

const MAX_ITEMS = 100;

export type Properties = Readonly<Record<string, JSONSchemaProps>>;

export const object = (properties: Properties, required: string[] = []): JSONSchemaProps => ({
  type: 'object',
  properties: { ...properties },
  ...(required.length === 0 ? {} : { required }),
});
export const list = (items: JSONSchemaProps, minItems = 0, maxItems = MAX_ITEMS): JSONSchemaProps => ({
  type: 'array',
  items,
  minItems,
  maxItems,
});
/** Exactly one of the fields. */
export const oneOf = (properties: Properties): JSONSchemaProps => ({
  ...object(properties),
  minProperties: 1,
  maxProperties: 1,
});
export const oneWord = (...words: string[]): JSONSchemaProps => ({ type: 'string', enum: words });
export const whole = (minimum: number, maximum: number): JSONSchemaProps => ({
  type: 'integer',
  format: 'int32',
  minimum,
  maximum,
});

export const text: JSONSchemaProps = { type: 'string' };
export const selector = object({
  matchLabels: { type: 'object', additionalProperties: text },
  matchExpressions: list(object({ key: text, operator: text, values: list(text) }, ['key', 'operator'])),
});
export const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } as JSONSchemaProps; // whose type does not know the extension
