/**
 * Whether HTTP rules let a request through (docs.cilium.io, "HTTP"): expressions match the whole text, and are RE2's, as Envoy
 * has them: no expression takes longer than its length times that of the text.
 */
import { RE2JS, RE2JSException } from 're2js';
import type { HttpRule } from './l7-rules.ts';

export interface HttpRequestFacts {
  readonly method: string;
  /** Normal, with the query. */
  readonly path: string;
  readonly host: string;
  /** All values of a header; its name is in lower case. */
  readonly header: (name: string) => readonly string[];
}

const compiled = new Map<string, RE2JS | null>();
const MAX_COMPILED = 10_000;

/** A rule without any part lets everything through. */
export function httpRuleAllows(rule: HttpRule, request: HttpRequestFacts): boolean {
  const { method, path, host, headers = [], headerMatches = [] } = rule;
  return (
    wholeMatches(method, request.method) &&
    wholeMatches(path, request.path) &&
    wholeMatches(host, request.host) &&
    headers.every((line) => headerLineHolds(line, request)) &&
    headerMatches.every(({ name, value }) => hasHeader(request, name, value))
  );
}

function headerLineHolds(line: string, request: HttpRequestFacts): boolean {
  const [name = '', value] = line.split(/:\s*(.*)/s);
  return hasHeader(request, name, value === '' ? undefined : value);
}

function hasHeader(request: HttpRequestFacts, name: string, value: string | undefined): boolean {
  const values = request.header(name.trim().toLowerCase());
  return value === undefined || value === '' ? values.length > 0 : values.includes(value);
}

/** One that is no expression matches nothing: what it was meant to allow is not known. */
function wholeMatches(expression: string | undefined, text: string): boolean {
  if (expression === undefined || expression === '') return true;
  let regex = compiled.get(expression);
  if (regex === undefined) {
    if (compiled.size >= MAX_COMPILED) compiled.clear();
    regex = compile(expression);
    compiled.set(expression, regex);
  }
  return regex?.testExact(text) ?? false;
}

function compile(expression: string): RE2JS | null {
  try {
    return RE2JS.compile(expression);
  } catch (error) {
    if (error instanceof RE2JSException) return null;
    throw error;
  }
}
