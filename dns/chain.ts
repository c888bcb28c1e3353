/**
 * The plugins in the order in which a query passes them, whatever the order in the Corefile
 * (the order is that of CoreDNS, so that a Corefile means the same here).
 */
import { CorefileError, type Directive } from './corefile.ts';
import { emptyReply } from './message.ts';
import type { Handler, Plugin, PluginContext, PluginSetup } from './plugin.ts';
import { setupAcl } from './plugins/acl/acl.ts';
import { setupAny } from './plugins/any/any.ts';
import { setupAutopath } from './plugins/autopath/autopath.ts';
import { setupBind } from './plugins/bind/bind.ts';
import { setupBufsize } from './plugins/bufsize/bufsize.ts';
import { setupCache } from './plugins/cache/cache.ts';
import { setupDebug } from './plugins/debug/debug.ts';
import { setupDns64 } from './plugins/dns64/dns64.ts';
import { setupErratic } from './plugins/erratic/erratic.ts';
import { setupErrors } from './plugins/errors/errors.ts';
import { setupFile } from './plugins/file/file.ts';
import { setupForward } from './plugins/forward/forward.ts';
import { setupHeader } from './plugins/header/header.ts';
import { setupHealth } from './plugins/health/health.ts';
import { setupHosts } from './plugins/hosts/hosts.ts';
import { setupKubernetes } from './plugins/kubernetes/kubernetes.ts';
import { setupLoadbalance } from './plugins/loadbalance/loadbalance.ts';
import { setupLocal } from './plugins/local/local.ts';
import { setupLog } from './plugins/log/log.ts';
import { setupLoop } from './plugins/loop/loop.ts';
import { setupMinimal } from './plugins/minimal/minimal.ts';
import { setupNsid } from './plugins/nsid/nsid.ts';
import { setupPrometheus } from './plugins/prometheus/prometheus.ts';
import { setupReady } from './plugins/ready/ready.ts';
import { setupReload } from './plugins/reload/reload.ts';
import { setupRewrite } from './plugins/rewrite/rewrite.ts';
import { setupTemplate } from './plugins/template/template.ts';
import { setupTransfer } from './plugins/transfer/transfer.ts';
import { setupWhoami } from './plugins/whoami/whoami.ts';

const ORDER: readonly (readonly [string, PluginSetup])[] = [
  ['reload', setupReload],
  ['nsid', setupNsid],
  ['bufsize', setupBufsize],
  ['bind', setupBind],
  ['debug', setupDebug],
  ['ready', setupReady],
  ['health', setupHealth],
  ['prometheus', setupPrometheus],
  ['errors', setupErrors],
  ['log', setupLog],
  ['local', setupLocal],
  ['dns64', setupDns64],
  ['acl', setupAcl],
  ['any', setupAny],
  ['loadbalance', setupLoadbalance],
  ['cache', setupCache],
  ['rewrite', setupRewrite],
  ['header', setupHeader],
  ['autopath', setupAutopath],
  ['minimal', setupMinimal],
  ['template', setupTemplate],
  ['transfer', setupTransfer],
  ['hosts', setupHosts],
  ['kubernetes', setupKubernetes],
  ['file', setupFile],
  ['loop', setupLoop],
  ['forward', setupForward],
  ['erratic', setupErratic],
  ['whoami', setupWhoami],
];

const KNOWN = new Map(ORDER);
/** Of the others there may be several in a block. */
const ONCE = new Set(['cache', 'errors', 'hosts', 'kubernetes', 'loop', 'nsid', 'prometheus', 'ready', 'reload']);
/** A block with one of these is asked for CH and the rest, too; others refuse them. */
const OF_ANY_CLASS = new Set(['forward']);

export interface Chain {
  readonly handler: Handler;
  /** Told of every answer to a client's query, once it has left; undefined when no plugin listens. */
  readonly sent: Plugin['sent'] | undefined;
  /** Whether queries of other classes than IN are its business. */
  readonly takesAnyClass: boolean;
  /** In the order of the chain. */
  readonly plugins: readonly { readonly name: string; readonly plugin: Plugin }[];
}

export type BlockContext = Omit<PluginContext, 'plugins'>;

/** Throws CorefileError for a plugin that there is not. */
export function buildChain(directives: readonly Directive[], block: BlockContext): Chain {
  for (const directive of directives) {
    if (KNOWN.has(directive.name)) continue;
    const names = ORDER.map(([name]) => name).sort();
    throw new CorefileError(directive, `Unknown directive '${directive.name}': expected one of ${names.join(', ')}`);
  }
  refuseSecond(directives);
  const context: PluginContext = { ...block, plugins: () => plugins.map(({ plugin }) => plugin) };
  const plugins: Chain['plugins'] = ORDER.flatMap(([name, setup]) =>
    directives
      .filter((directive) => directive.name === name)
      .map((directive) => ({ name, plugin: ofPlugin(name, () => setup(directive, context)) })),
  );
  const withHandler = plugins.filter(({ plugin }) => plugin.handler !== undefined);
  let handler = endOf(withHandler.at(-1)?.name);
  for (const { plugin } of withHandler.reverse()) handler = plugin.handler?.(handler) ?? handler;
  // One prometheus in a block is all that there is.
  const listener = plugins.find(({ plugin }) => plugin.sent !== undefined)?.plugin;
  const takesAnyClass = plugins.some(({ name }) => OF_ANY_CLASS.has(name));
  return { handler, plugins, takesAnyClass, sent: listener?.sent };
}

function refuseSecond(directives: readonly Directive[]): void {
  const seen = new Set<string>();
  for (const directive of directives) {
    if (ONCE.has(directive.name) && seen.has(directive.name)) {
      throw new CorefileError(directive, 'this plugin can only be used once per Server Block', directive.name);
    }
    seen.add(directive.name);
  }
}

/** Behind the last plugin: nobody answered, which is a failure as in the original, or no plugin was there to do it. */
function endOf(last: string | undefined): Handler {
  if (last === undefined) return () => emptyReply('REFUSED');
  return () => {
    throw new Error(`plugin/${last}: no next plugin found`);
  };
}

/** Errors in its lines name the plugin. */
function ofPlugin(name: string, setup: () => Plugin): Plugin {
  try {
    return setup();
  } catch (error) {
    throw error instanceof CorefileError ? error.of(name) : error;
  }
}
