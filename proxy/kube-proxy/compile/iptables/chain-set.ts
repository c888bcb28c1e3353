/** The chains of one table, and which of them differ from what the node has. */
import type { Rule } from '../../../../shared/rules/rule.ts';
import type { TableChange } from '../../../../shared/rules/transaction.ts';

type Rules = readonly Rule[];

export class ChainSet {
  private readonly chains = new Map<string, Rules>();
  /** Touched since the node was last brought up to date, with what it has; undefined where it has none. */
  private readonly touched = new Map<string, Rules | undefined>();
  ruleCount = 0;

  get(name: string): Rules | undefined {
    return this.chains.get(name);
  }

  set(name: string, rules: Rules): void {
    const before = this.chains.get(name);
    if (before === rules) return;
    this.touch(name, before);
    this.ruleCount += rules.length - (before?.length ?? 0);
    this.chains.set(name, rules);
  }

  delete(name: string): void {
    const before = this.chains.get(name);
    if (before === undefined) return;
    this.touch(name, before);
    this.ruleCount -= before.length;
    this.chains.delete(name);
  }

  /** Everything, for a node that starts anew. */
  all(): Readonly<Record<string, Rules>> {
    return Object.fromEntries(this.chains);
  }

  /** Undefined when the node has all. */
  changes(): TableChange | undefined {
    const set: Record<string, Rules> = {};
    const gone: string[] = [];
    for (const [name, before] of this.touched) {
      const now = this.chains.get(name);
      if (now === before) continue;
      if (now === undefined) gone.push(name);
      else set[name] = now;
    }
    return Object.keys(set).length === 0 && gone.length === 0 ? undefined : { set, delete: gone };
  }

  /** The node has the present state. */
  settle(): void {
    this.touched.clear();
  }

  private touch(name: string, before: Rules | undefined): void {
    if (!this.touched.has(name)) this.touched.set(name, before);
  }
}
