/** nftables mode: the parts of every Service, and what of them a node has to be told. */
import type { NftChain, NftChange, NftElement, NftSet } from '../../../../shared/rules/nft.ts';
import { type ItemChanges, ItemStore } from '../item-store.ts';
import type { ModeCompiler, Step } from '../mode-compiler.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { ServiceState } from '../service-state.ts';
import { fixedChains, fixedElements, fixedSets } from './fixed-table.ts';
import { compileNftPort, type NftItem } from './port-items.ts';

export class NftablesCompiler implements ModeCompiler {
  private readonly context: ProxyContext;
  private readonly items = new ItemStore<NftItem>();

  constructor(context: ProxyContext) {
    this.context = context;
  }

  update({ key, ports }: ServiceState): void {
    this.items.replace(
      key,
      ports.flatMap(({ port, endpoints }) => compileNftPort(port, endpoints, this.context)),
    );
  }

  step(whole: boolean): Step | undefined {
    const changes = whole ? { set: this.items.all(), gone: [] } : this.items.changes();
    if (!whole && changes.set.length === 0 && changes.gone.length === 0) return undefined;
    const nft = whole ? this.withFixed(changeOf(changes)) : changeOf(changes);
    return { part: { tables: {}, nft }, applied: () => this.items.settle() };
  }

  ruleCounts(): { readonly nat: number; readonly filter: number } {
    return { nat: this.items.size, filter: 0 };
  }

  private withFixed(change: NftChange): NftChange {
    return {
      sets: { ...fixedSets(this.context.family), ...change.sets },
      chains: { ...fixedChains(this.context), ...change.chains },
      elements: { ...fixedElements(this.context), ...change.elements },
    };
  }
}

/** An affinity set whose time-out changed would keep its old one: it is made anew. */
function changeOf({ set, gone }: ItemChanges<NftItem>): NftChange {
  const sets: Record<string, NftSet> = {};
  const chains: Record<string, NftChain> = {};
  const deleteSets: string[] = [];
  const deleteChains: string[] = [];
  const elements: Record<string, { add: NftElement[]; remove: NftElement[] }> = {};
  const elementsOf = (name: string) => (elements[name] ??= { add: [], remove: [] });
  for (const item of set) {
    if (item.kind === 'chain') chains[item.name] = item.chain;
    else if (item.kind === 'element') elementsOf(item.set).add.push(item.element);
    else {
      deleteSets.push(item.name);
      sets[item.name] = item.set;
    }
  }
  for (const item of gone) {
    if (item.kind === 'chain') deleteChains.push(item.name);
    else if (item.kind === 'element') elementsOf(item.set).remove.push(item.element);
    else deleteSets.push(item.name);
  }
  return { sets, chains, deleteSets, deleteChains, elements };
}
