import type { HttpRule } from './l7-rules.ts';

/** For people: `GET /api/.*, host web`. */
export function httpRuleText({ method, path, host, headers = [], headerMatches = [] }: HttpRule): string {
  const line = [method, path].filter((part) => part).join(' ');
  const names = [...headers, ...headerMatches.map(({ name }) => name)].map((header) => `header ${header}`);
  const parts = [line, ...(host ? [`host ${host}`] : []), ...names].filter((part) => part !== '');
  return parts.length === 0 ? 'every request' : parts.join(', ');
}
