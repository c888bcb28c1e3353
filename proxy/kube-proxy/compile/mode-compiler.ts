/** What a proxy mode is to the loop that sends: it takes Services' states and says what the node has to be told. */
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import type { ServiceState } from './service-state.ts';

/** What is to be sent, and what to call when the node took it. */
export interface Step {
  readonly part: Pick<RulesTransaction, 'tables' | 'ipvs' | 'nft' | 'bpf'>;
  readonly applied: () => void;
}

export interface ModeCompiler {
  /** Takes a Service's present state; one without ports is forgotten. */
  update(service: ServiceState): void;
  /** Everything, or the difference to the last step that was applied; undefined when there is none. */
  step(whole: boolean): Step | undefined;
  /** Rules now in the program, of each table. */
  ruleCounts(): { readonly nat: number; readonly filter: number };
}
