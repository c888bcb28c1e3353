/** JSON as iproute2 prints it with `-p`. */

const INDENT = '    ';

export function prettyJson(value: unknown, depth = 0): string {
  if (Array.isArray(value)) {
    return value.length === 0 ? '[ ]' : `[ ${value.map((item) => prettyJson(item, depth + 1)).join(',')} ]`;
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  if (fields.length === 0) return '{}';
  const lines = fields.map(([name, field]) => `${INDENT.repeat(depth + 1)}"${name}": ${prettyJson(field, depth + 1)}`);
  return `{\n${lines.join(',\n')}\n${INDENT.repeat(depth)}}`;
}
