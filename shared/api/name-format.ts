/**
 * The shapes that names of the API may have (Kubernetes documentation, "Object Names and IDs", "Labels and Selectors";
 * RFC 1123, RFC 1035), each as a check that gives the texts a user is shown; an empty list is a valid name.
 */

export const DNS_LABEL_MAX_LENGTH = 63;
export const DNS_SUBDOMAIN_MAX_LENGTH = 253;
export const LABEL_VALUE_MAX_LENGTH = 63;

const DNS1123_LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const DNS1123_SUBDOMAIN = `${DNS1123_LABEL}(\\.${DNS1123_LABEL})*`;
const DNS1035_LABEL = '[a-z]([-a-z0-9]*[a-z0-9])?';
const QUALIFIED_NAME = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = `(${QUALIFIED_NAME})?`;
const CONFIG_KEY = '[-._a-zA-Z0-9]+';
const ENV_VAR_NAME = /^[ -<>-~]+$/;
const WILDCARD_SUBDOMAIN = `\\*\\.${DNS1123_SUBDOMAIN}`;

const dns1123LabelPattern = whole(DNS1123_LABEL);
const dns1123SubdomainPattern = whole(DNS1123_SUBDOMAIN);
const dns1035LabelPattern = whole(DNS1035_LABEL);
const qualifiedNamePattern = whole(QUALIFIED_NAME);
const labelValuePattern = whole(LABEL_VALUE);
const configKeyPattern = whole(CONFIG_KEY);
const wildcardSubdomainPattern = whole(WILDCARD_SUBDOMAIN);

function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`);
}

function tooLong(maximum: number): string {
  return `must be no more than ${maximum} characters`;
}

/** The hint that ends a message: examples, and the pattern that decides. */
function patternHint(rule: string, pattern: string, ...examples: string[]): string {
  const list = examples.map((example) => `'${example}', `).join(' or ');
  return `${rule} (${examples.length === 0 ? '' : `e.g. ${list}`}regex used for validation is '${pattern}')`;
}

const DNS1123_LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";

/** A DNS label: names of namespaces, containers, ports. */
export function dns1123LabelErrors(value: string): string[] {
  const errors: string[] = [];
  if (value.length > DNS_LABEL_MAX_LENGTH) errors.push(tooLong(DNS_LABEL_MAX_LENGTH));
  if (!dns1123LabelPattern.test(value)) {
    errors.push(patternHint(DNS1123_LABEL_RULE, DNS1123_LABEL, 'my-name', '123-abc'));
  }
  return errors;
}

const DNS1123_SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";

/** A DNS name: names of most objects. */
export function dns1123SubdomainErrors(value: string): string[] {
  const errors: string[] = [];
  if (value.length > DNS_SUBDOMAIN_MAX_LENGTH) errors.push(tooLong(DNS_SUBDOMAIN_MAX_LENGTH));
  if (!dns1123SubdomainPattern.test(value)) {
    errors.push(patternHint(DNS1123_SUBDOMAIN_RULE, DNS1123_SUBDOMAIN, 'example.com'));
  }
  return errors;
}

const DNS1035_LABEL_RULE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";

/** A DNS label that starts with a letter: names of Services. */
export function dns1035LabelErrors(value: string): string[] {
  const errors: string[] = [];
  if (value.length > DNS_LABEL_MAX_LENGTH) errors.push(tooLong(DNS_LABEL_MAX_LENGTH));
  if (!dns1035LabelPattern.test(value)) {
    errors.push(patternHint(DNS1035_LABEL_RULE, DNS1035_LABEL, 'my-name', 'abc-123'));
  }
  return errors;
}

const WILDCARD_RULE =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";

/** `*.example.com`: hosts of Ingress rules. */
export function wildcardSubdomainErrors(value: string): string[] {
  const errors: string[] = [];
  if (value.length > DNS_SUBDOMAIN_MAX_LENGTH) errors.push(tooLong(DNS_SUBDOMAIN_MAX_LENGTH));
  if (!wildcardSubdomainPattern.test(value)) {
    errors.push(patternHint(WILDCARD_RULE, WILDCARD_SUBDOMAIN, '*.example.com'));
  }
  return errors;
}

const QUALIFIED_NAME_RULE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/** `name` or `prefix.example.com/name`: keys of labels, annotations, finalizers, extended resources. */
export function qualifiedNameErrors(value: string): string[] {
  const parts = value.split('/');
  const errors: string[] = [];
  if (parts.length > 2) {
    return [
      `a qualified name ${patternHint(QUALIFIED_NAME_RULE, QUALIFIED_NAME, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1)!;
  if (parts.length === 2) {
    const prefix = parts[0]!;
    if (prefix === '') errors.push('prefix part must be non-empty');
    else errors.push(...dns1123SubdomainErrors(prefix).map((text) => `prefix part ${text}`));
  }
  if (name === '') errors.push('name part must be non-empty');
  else if (name.length > DNS_LABEL_MAX_LENGTH) errors.push(`name part ${tooLong(DNS_LABEL_MAX_LENGTH)}`);
  if (!qualifiedNamePattern.test(name)) {
    errors.push(`name part ${patternHint(QUALIFIED_NAME_RULE, QUALIFIED_NAME, 'MyName', 'my.name', '123-abc')}`);
  }
  return errors;
}

export function isQualifiedName(value: string): boolean {
  return qualifiedNameErrors(value).length === 0;
}

const LABEL_VALUE_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

export function labelValueErrors(value: string): string[] {
  const errors: string[] = [];
  if (value.length > LABEL_VALUE_MAX_LENGTH) errors.push(tooLong(LABEL_VALUE_MAX_LENGTH));
  if (!labelValuePattern.test(value)) {
    errors.push(patternHint(LABEL_VALUE_RULE, LABEL_VALUE, 'MyValue', 'my_value', '12345'));
  }
  return errors;
}

export function isLabelValue(value: string): boolean {
  return value.length <= LABEL_VALUE_MAX_LENGTH && labelValuePattern.test(value);
}

const CONFIG_KEY_RULE = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";

/** Keys of ConfigMaps and Secrets. */
export function configKeyErrors(value: string): string[] {
  const errors: string[] = [];
  if (value.length > DNS_SUBDOMAIN_MAX_LENGTH) errors.push(tooLong(DNS_SUBDOMAIN_MAX_LENGTH));
  if (!configKeyPattern.test(value)) {
    errors.push(patternHint(CONFIG_KEY_RULE, CONFIG_KEY, 'key.name', 'KEY_NAME', 'key-name'));
  }
  if (value === '.') errors.push("must not be '.'");
  else if (value === '..') errors.push("must not be '..'");
  else if (value.startsWith('..')) errors.push("must not start with '..'");
  return errors;
}

const ENV_VAR_RULE = "a valid environment variable name must consist only of printable ASCII characters other than '='";

/** Any printable ASCII but `=`, as since Kubernetes 1.34 (relaxed environment variable names). */
export function envVarNameErrors(value: string): string[] {
  return ENV_VAR_NAME.test(value) ? [] : [ENV_VAR_RULE];
}

/** Names of ports in containers and Services' target ports (IANA service names, RFC 6335 section 5.1). */
export function portNameErrors(value: string): string[] {
  const errors: string[] = [];
  if (value.length > 15) errors.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(value))
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)');
  if (value.includes('--')) errors.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

/** Names of RBAC objects and the like: anything that is one path segment. */
export function pathSegmentNameErrors(value: string): string[] {
  if (value === '.') return ["may not be '.'"];
  if (value === '..') return ["may not be '..'"];
  return ['/', '%'].filter((part) => value.includes(part)).map((part) => `may not contain '${part}'`);
}
