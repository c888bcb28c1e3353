/**
 * Walks a client's search list for it: the first of its queries (`example.org.default.svc.cluster.local`) gets the answer that
 * its fourth or fifth would have got, behind an alias.
 */
import { parseResolvConf } from '../../../shared/podnet/resolv-conf.ts';
import { CorefileError, type Directive } from '../../corefile.ts';
import { wrong } from '../../directive.ts';
import type { Reply, ResourceRecord } from '../../message.ts';
import type { Handler, PluginContext, PluginSetup, Query } from '../../plugin.ts';
import { isInZone, matchingZone, plainName, zonesOf } from '../../zone.ts';

type SearchPath = (client: string) => readonly string[] | undefined;

export const setupAutopath: PluginSetup = (directive, context) => {
  const source = directive.words.at(-1);
  if (source === undefined) throw wrong(directive, '[ZONE...] @kubernetes or [ZONE...] RESOLV-CONF');
  const words = directive.words.slice(0, -1);
  const zones = words.length === 0 ? context.zones : words.flatMap((word) => zonesOf(word, directive));
  const searchPath = source.startsWith('@')
    ? fromPlugin(source, directive, context)
    : fromFile(source, directive, context);
  return {
    handler: (next) => async (query) => {
      const { key, type } = query.question;
      const isConcerned = (type === 'A' || type === 'AAAA') && matchingZone(key, zones) !== undefined;
      const [first, ...rest] = isConcerned ? (searchPath(query.remote.address) ?? []) : [];
      if (first === undefined || first === '' || !key.endsWith(`.${first}`)) return next(query);
      return walk(query, first, rest, next);
    },
  };
};

/** The kubernetes plugin knows clients by their pods' addresses. */
function fromPlugin(source: string, directive: Directive, { directives, plugins }: PluginContext): SearchPath {
  if (source !== '@kubernetes') throw wrong(directive, `@kubernetes instead of '${source}'`);
  const isVerified = directives.some(({ name, block }) => {
    return name === 'kubernetes' && block?.some((line) => line.name === 'pods' && line.words[0] === 'verified');
  });
  if (!isVerified) {
    throw new CorefileError(
      directive,
      "@kubernetes knows no clients: expected a kubernetes plugin with 'pods verified' in this block",
    );
  }
  return (client) => {
    for (const plugin of plugins()) {
      const path = plugin.searchPath?.(client);
      if (path !== undefined) return path;
    }
    return undefined;
  };
}

/** One search list for all clients. */
function fromFile(path: string, directive: Directive, { readFile }: PluginContext): SearchPath {
  const text = readFile(path);
  if (text === undefined) throw new CorefileError(directive, `there is no file ${path}`);
  const search = parseResolvConf(text).search.map(plainName);
  return () => search;
}

/** The first name of the list that exists; when none does, what the client asked for does not. */
async function walk(query: Query, first: string, rest: readonly string[], next: Handler): Promise<Reply> {
  const asked = query.question.name;
  const original = await next(query);
  if (original.rcode !== 'NXDOMAIN') return original;
  const base = asked.slice(0, -first.length - 1);
  for (const suffix of [...rest, '']) {
    const name = suffix === '' ? base : `${base}.${suffix}`;
    const reply = await next({ ...query, question: { ...query.question, name, key: plainName(name) } });
    if (reply.rcode !== 'NXDOMAIN') return { ...reply, answers: behindAlias(asked, name, reply.answers) };
  }
  return original;
}

function behindAlias(asked: string, name: string, answers: readonly ResourceRecord[]): readonly ResourceRecord[] {
  const own = answers.find((record) => isInZone(plainName(record.name), plainName(name)));
  if (own === undefined) return answers;
  return [{ type: 'CNAME', name: asked, ttl: 'ttl' in own ? (own.ttl ?? 0) : 0, data: name }, ...answers];
}
