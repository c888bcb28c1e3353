/** IPVS mode: the parts of every Service, and what of them a node has to be told. */
import type { IpSetEntry, IpvsChange, VirtualServer, VirtualServerId } from '../../../../shared/rules/ipvs.ts';
import type { IpFamily } from '../../../../shared/wire/ip-address.ts';
import { type ItemChanges, ItemStore } from '../item-store.ts';
import type { ModeCompiler, Step } from '../mode-compiler.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { ServiceState } from '../service-state.ts';
import { fixedTables } from './fixed-chains.ts';
import { IP_SETS, type IpSetName, ipSetName } from './ip-sets.ts';
import { compileIpvsPort, type IpvsItem } from './port-items.ts';

export class IpvsCompiler implements ModeCompiler {
  private readonly context: ProxyContext;
  private readonly items = new ItemStore<IpvsItem>();
  private readonly fixed: ReturnType<typeof fixedTables>;

  constructor(context: ProxyContext) {
    this.context = context;
    this.fixed = fixedTables(context);
  }

  update({ key, ports }: ServiceState): void {
    this.items.replace(
      key,
      ports.flatMap(({ port, endpoints }) => compileIpvsPort(port, endpoints, this.context)),
    );
  }

  step(whole: boolean): Step | undefined {
    const changes = whole ? { set: this.items.all(), gone: [] } : this.items.changes();
    if (!whole && changes.set.length === 0 && changes.gone.length === 0) return undefined;
    const ipvs = changeOf(changes, whole, this.context.family);
    return { part: { tables: whole ? this.fixed : {}, ipvs }, applied: () => this.items.settle() };
  }

  ruleCounts(): { readonly nat: number; readonly filter: number } {
    const count = (table: 'nat' | 'filter'): number =>
      Object.values(this.fixed[table]?.set ?? {}).reduce((sum, rules) => sum + rules.length, 0);
    return { nat: count('nat'), filter: count('filter') };
  }
}

/** `whole` makes all sets, those too that have no entry. */
function changeOf({ set, gone }: ItemChanges<IpvsItem>, whole: boolean, family: IpFamily): IpvsChange {
  const servers: VirtualServer[] = [];
  const deleted: VirtualServerId[] = [];
  const ipSets: Partial<Record<IpSetName, { add: IpSetEntry[]; remove: IpSetEntry[] }>> = {};
  const setOf = (name: IpSetName) => (ipSets[name] ??= { add: [], remove: [] });
  const names = Object.keys(IP_SETS) as IpSetName[]; // keys of a record over that very union
  if (whole) names.forEach(setOf);
  for (const item of set) {
    if (item.kind === 'server') servers.push(item.server);
    else setOf(item.set).add.push(item.entry);
  }
  for (const item of gone) {
    if (item.kind === 'entry') setOf(item.set).remove.push(item.entry);
    else deleted.push({ protocol: item.server.protocol, address: item.server.address, port: item.server.port });
  }
  const typed = names.flatMap((name) => {
    const change = ipSets[name];
    return change === undefined ? [] : [[ipSetName(name, family), { type: IP_SETS[name].type, ...change }] as const];
  });
  return { set: servers, delete: deleted, ipSets: Object.fromEntries(typed) };
}
