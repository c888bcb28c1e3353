/** The first line of an HTTP message; with `-v` its head. */
import type { Piece, PrintContext } from './print-options.ts';

const STARTS =
  /^(?:GET|PUT|COPY|HEAD|LOCK|MOVE|POLL|POST|BCOPY|BMOVE|MKCOL|TRACE|LABEL|MERGE|DELETE|SEARCH|UNLOCK|REPORT|UPDATE|NOTIFY|CONNECT|OPTIONS|CHECKIN|PROPFIND|CHECKOUT|PROPPATCH|SUBSCRIBE|UNSUBSCRIBE|PATCH|HTTP\/)/;
const MAX_HEAD_BYTES = 2048;

export function printHttp({ options }: PrintContext, { view, at, end }: Piece): string {
  const size = end - at;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, Math.min(size, MAX_HEAD_BYTES));
  const text = new TextDecoder('latin1').decode(bytes);
  const isStart = STARTS.test(text);
  if (options.verbosity === 0) return isStart ? `: HTTP: ${visible(text.split(/\r?\n/, 1)[0]!)}` : ': HTTP';
  if (!isStart) return `: HTTP, length: ${size}`;
  const head = text.split(/\r?\n\r?\n/, 1)[0]!.split(/\r?\n/);
  return `: HTTP, length: ${size}\n${[...head, ''].map((line) => `\t${visible(line)}`).join('\n')}`;
}

function visible(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '.');
}
