/** Keeps the rules of every Service port and compiles only those again whose Service or endpoints changed. */
import type { ModeCompiler, Step } from '../mode-compiler.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { ServiceState } from '../service-state.ts';
import { assembleProgram, changedTables, EMPTY_PROGRAM, fullTables, type Program } from './program.ts';
import { compileServicePort, type ServiceRules } from './service-rules.ts';

export class IptablesCompiler implements ModeCompiler {
  private readonly context: ProxyContext;
  private readonly compiled = new Map<string, readonly ServiceRules[]>();
  private sortedKeys: string[] | undefined;
  private program: Program = EMPTY_PROGRAM;
  /** What the node has. */
  private applied: Program = EMPTY_PROGRAM;

  constructor(context: ProxyContext) {
    this.context = context;
  }

  /** Takes a Service's present state; one without ports is forgotten. */
  update({ key, ports }: ServiceState): void {
    const known = this.compiled.has(key);
    if (known !== ports.length > 0) this.sortedKeys = undefined;
    if (ports.length === 0) this.compiled.delete(key);
    else {
      const rules = ports.map(({ port, endpoints }) => compileServicePort(port, endpoints, this.context));
      this.compiled.set(key, keepEqual(this.compiled.get(key), rules));
    }
  }

  step(whole: boolean): Step | undefined {
    const program = this.assemble();
    const tables = whole ? fullTables(program) : changedTables(this.applied, program);
    if (tables === undefined) return undefined;
    return {
      part: { tables },
      applied: () => {
        this.applied = program;
      },
    };
  }

  /** The program of all Services, in the order of their names. */
  assemble(): Program {
    this.sortedKeys ??= [...this.compiled.keys()].sort();
    const rules = this.sortedKeys.flatMap((key) => this.compiled.get(key) ?? []);
    this.program = assembleProgram(rules, this.context, this.program);
    return this.program;
  }

  /** Rules now in the program, of each table. */
  ruleCounts(): { readonly nat: number; readonly filter: number } {
    const count = (chains: Program['nat']): number => [...chains.values()].reduce((sum, { length }) => sum + length, 0);
    return { nat: count(this.program.nat), filter: count(this.program.filter) };
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
