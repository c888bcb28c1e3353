/** Where a directive holds: a block inherits what it does not say itself from the one around it. */
import type { Directive } from './configuration.ts';

export class Scope {
  readonly directives: readonly Directive[];
  readonly parent: Scope | undefined;

  constructor(directives: readonly Directive[], parent?: Scope) {
    this.directives = directives;
    this.parent = parent;
  }

  /** Directives of this block only. */
  own(name: string): readonly Directive[] {
    return this.directives.filter((directive) => directive.name === name);
  }

  /** Of the innermost block that has any of them; nginx never merges lists of two levels. */
  all(name: string): readonly Directive[] {
    const own = this.own(name);
    return own.length > 0 || this.parent === undefined ? own : this.parent.all(name);
  }

  /** The arguments of the last one. */
  args(name: string): readonly string[] | undefined {
    return this.all(name).at(-1)?.args;
  }

  value(name: string): string | undefined {
    return this.args(name)?.[0];
  }

  isOn(name: string): boolean {
    return this.value(name) === 'on';
  }
}
