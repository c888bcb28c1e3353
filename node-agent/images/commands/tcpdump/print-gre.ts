import * as geneve from '../../../../shared/wire/geneve.ts';
import * as gre from '../../../../shared/wire/gre.ts';
import { printFrame, printPayload, typeText } from './print-frame.ts';
import { hex, type Piece, type PrintContext } from './print-options.ts';

export function printGre(context: PrintContext, { view, at, end }: Piece): string {
  if (!gre.check(view, at, end - at)) return 'GREv0 [|gre]';
  const key = gre.key(view, at);
  const sequence = gre.sequence(view, at);
  const type = gre.type(view, at);
  const inner = { view, at: at + gre.headerBytes(view, at), end };
  const { linkHeader, verbosity } = context.options;
  const parts = ['GREv0'];
  if (verbosity > 0) parts.push(`Flags [${flagsText(view, at)}]`);
  if (key !== undefined) parts.push(`key=${hex(key, 1)}`);
  if (sequence !== undefined) parts.push(`seq ${sequence}`);
  if (linkHeader) parts.push(`proto ${typeText(type)}`);
  parts.push(`length ${end - at}`);
  return `${parts.join(', ')}${verbosity > 0 ? '\n\t' : ': '}${context.inside(() =>
    type === geneve.TYPE_ETHERNET ? printFrame(context, inner, end - inner.at) : printPayload(context, type, inner),
  )}`;
}

function flagsText(view: DataView, at: number): string {
  const present = [
    gre.hasChecksum(view, at) ? 'checksum present' : '',
    gre.key(view, at) === undefined ? '' : 'key present',
    gre.sequence(view, at) === undefined ? '' : 'sequence# present',
  ].filter(Boolean);
  return present.join(', ') || 'none';
}
