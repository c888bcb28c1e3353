/**
 * Calico's selectors as a regular expression, for schemas: `role == 'db' && !has(env)`. All of the language but that brackets are
 * closed, which the compiler of policies knows.
 */
const label = String.raw`\w[\w./-]*`;
const value = `("[^"]*"|'[^']*')`;
const comparisons = [
  String.raw`${label}\s*(==|!=)\s*${value}`,
  String.raw`${label}\s+(not\s+)?in\s*\{\s*(${value}(\s*,\s*${value})*\s*)?\}`,
  String.raw`${label}\s+(contains|starts\s+with|ends\s+with)\s*${value}`,
];
const term = [String.raw`all\(\)`, String.raw`global\(\)`, String.raw`has\(\s*[\w./-]+\s*\)`, ...comparisons].join('|');
const side = String.raw`(\s*[!(])*\s*(${term})(\s*\))*`;

/** An empty text selects everything. */
export const SELECTOR_PATTERN = String.raw`^(${side}(\s*(&&|\|\|)${side})*)?\s*$`;
