/** Keeps the rules of every Service port and compiles only those again whose Service or endpoints changed. */
import type { ModeCompiler, Step } from '../mode-compiler.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { ServiceState } from '../service-state.ts';
import { Program } from './program.ts';
import { compileServicePort, type ServiceRules } from './service-rules.ts';

const NO_RULES: readonly ServiceRules[] = [];

export class IptablesCompiler implements ModeCompiler {
  private readonly context: ProxyContext;
  private readonly compiled = new Map<string, readonly ServiceRules[]>();
  private sortedKeys: string[] | undefined;
  private readonly program: Program;

  constructor(context: ProxyContext) {
    this.context = context;
    this.program = new Program(context);
  }

  /** Takes a Service's present state; one without ports is forgotten. */
  update({ key, ports }: ServiceState): void {
    const before = this.compiled.get(key);
    if ((before !== undefined) !== ports.length > 0) this.sortedKeys = undefined;
    const rules = ports.map(({ port, endpoints }) => compileServicePort(port, endpoints, this.context));
    const after = keepEqual(before, rules);
    this.program.replace(before ?? NO_RULES, after);
    if (ports.length === 0) this.compiled.delete(key);
    else this.compiled.set(key, after);
  }

  step(whole: boolean): Step | undefined {
    this.sortedKeys ??= [...this.compiled.keys()].sort();
    this.program.join(this.sortedKeys.map((key) => this.compiled.get(key) ?? NO_RULES));
    const tables = whole ? this.program.fullTables() : this.program.changedTables();
    return tables === undefined ? undefined : { part: { tables }, applied: () => this.program.settle() };
  }

  ruleCounts(): { readonly nat: number; readonly filter: number } {
    return this.program.ruleCounts();
  }
}

/** Parts that came out as before stay the same objects: an endpoint's change then leaves the common chains untouched. */
function keepEqual(
  before: readonly ServiceRules[] | undefined,
  after: readonly ServiceRules[],
): readonly ServiceRules[] {
  if (before === undefined || before.length !== after.length) return after;
  return after.map((rules, index) => {
    const old = before[index];
    return old === undefined ? rules : keepParts(old, rules);
  });
}

function keepParts(before: ServiceRules, after: ServiceRules): ServiceRules {
  return {
    services: keepPart(before.services, after.services),
    nodePorts: keepPart(before.nodePorts, after.nodePorts),
    filterServices: keepPart(before.filterServices, after.filterServices),
    filterExternal: keepPart(before.filterExternal, after.filterExternal),
    filterNodePorts: keepPart(before.filterNodePorts, after.filterNodePorts),
    filterFirewall: keepPart(before.filterFirewall, after.filterFirewall),
    chains: Object.fromEntries(
      Object.entries(after.chains).map(([name, rules]) => [name, keepPart(before.chains[name] ?? [], rules)]),
    ),
  };
}

/** Rules are plain data made by one function in one field order, so equal rules have equal JSON. */
function keepPart<T>(before: readonly T[], after: readonly T[]): readonly T[] {
  return before.length === after.length && JSON.stringify(before) === JSON.stringify(after) ? before : after;
}
