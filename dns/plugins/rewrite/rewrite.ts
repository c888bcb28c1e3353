/**
 * Changes queries before the plugins that answer see them, and the answers on their way back.
 * The rules of a server block are one list: each is tried in turn; one that applies and is `stop` is the last.
 */
import type { Reply } from '../../message.ts';
import type { Handler, PluginSetup, Query } from '../../plugin.ts';
import { parseRule, type Rule, type Undo } from './rule.ts';

export const setupRewrite: PluginSetup = (directive, context) => {
  const own = context.directives.filter(({ name }) => name === 'rewrite');
  if (own[0] !== directive) return {};
  const rules = own.map(parseRule);
  return {
    handler: (next) => (query) => rewritten(query, rules, next, (name, type) => context.lookup(name, type, query)),
  };
};

async function rewritten(
  original: Query,
  rules: readonly Rule[],
  next: Handler,
  lookup: (name: string, type: string) => Promise<Reply>,
): Promise<Reply> {
  const undos: Undo[] = [];
  let query = original;
  for (const { stop, apply } of rules) {
    const applied = apply(query);
    if (applied === undefined) continue;
    query = applied.query;
    if (applied.undo !== undefined) undos.push(applied.undo);
    if (stop) break;
  }
  let reply = await next(query);
  for (const undo of undos.reverse()) reply = await undo(reply, lookup);
  return reply;
}
