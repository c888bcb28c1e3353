/** Prints a line for every answered query. */
import { unknownProperty, wrong } from '../../directive.ts';
import { encodeReply, type Reply } from '../../message.ts';
import type { PluginContext, PluginSetup, Query } from '../../plugin.ts';
import { shownType } from '../../record-type.ts';
import { isInZone, zonesOf } from '../../zone.ts';

type ReplyClass = 'success' | 'denial' | 'error' | 'all';

const CLASSES: readonly ReplyClass[] = ['success', 'denial', 'error', 'all'];
const COMMON =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';
const COMBINED = `${COMMON} {>opcode}`;
const MAX_MESSAGE_BYTES = 65_535;

export const setupLog: PluginSetup = (directive, context) => {
  const { words } = directive;
  const last = words.at(-1);
  // `log [NAMES...] [FORMAT]`: a format has a placeholder.
  const hasFormat = last?.includes('{') ?? false;
  const names = hasFormat ? words.slice(0, -1) : words;
  const zones = names.length === 0 ? [''] : names.flatMap((name) => zonesOf(name, directive));
  const classes = new Set<ReplyClass>();
  for (const property of directive.block ?? []) {
    if (property.name !== 'class') throw unknownProperty(property, ['class']);
    for (const word of property.words) {
      const found = CLASSES.find((known) => known === word);
      if (found === undefined) throw wrong(property, `the classes ${CLASSES.join(', ')}`);
      classes.add(found);
    }
  }
  const template = formatOf(hasFormat ? (last ?? '') : '');
  return {
    handler: (next) => async (query) => {
      const startMs = context.clock.monotonicMs();
      const reply = await next(query);
      const wanted = classes.size === 0 || classes.has('all') || classes.has(classOf(reply));
      if (wanted && zones.some((zone) => isInZone(query.question.key, zone))) {
        print(template, query, reply, context.clock.monotonicMs() - startMs, context);
      }
      return reply;
    },
  };
};

function formatOf(text: string): string {
  if (text === '' || text === '{common}') return COMMON;
  return text === '{combined}' ? COMBINED : text;
}

function classOf({ rcode, answers }: Reply): ReplyClass {
  if (rcode === 'NXDOMAIN' || (rcode === 'NOERROR' && answers.length === 0)) return 'denial';
  return rcode === 'NOERROR' ? 'success' : 'error';
}

function print(template: string, query: Query, reply: Reply, durationMs: number, context: PluginContext): void {
  const { question, edns, remote } = query;
  const flags = [
    'qr',
    reply.authoritative ? 'aa' : '',
    reply.truncated ? 'tc' : '',
    query.recursionDesired ? 'rd' : '',
    reply.recursionAvailable ? 'ra' : '',
  ];
  const values: Readonly<Record<string, string | number | boolean>> = {
    // RFC 3986 section 3.2.2.
    remote: remote.address.includes(':') ? `[${remote.address}]` : remote.address,
    port: remote.port,
    '>id': query.id,
    type: shownType(question.type),
    class: question.class,
    name: `${question.name}.`,
    proto: query.transport,
    size: query.sizeBytes,
    '>do': edns?.dnssecOk ?? false,
    '>bufsize': edns?.payloadBytes ?? 512,
    rcode: reply.rcode,
    '>rflags': flags.filter((flag) => flag !== '').join(','),
    rsize: encodeReply(query, reply, MAX_MESSAGE_BYTES).length,
    duration: `${(durationMs / 1000).toFixed(9)}s`,
    '>opcode': 0,
  };
  context.print(
    'INFO',
    template.replace(/\{([^}]+)\}/g, (text, name: string) => String(values[name] ?? text)),
  );
}
