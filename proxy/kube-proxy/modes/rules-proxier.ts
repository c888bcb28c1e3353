/**
 * A proxy mode's hold on a node: it knows what the node has, sends the difference, and sends everything when the node says
 * that it stands elsewhere (it booted anew, or a reply was lost).
 */
import type { ForgottenConnections, RulesReply, RulesTransaction } from '../../../shared/rules/transaction.ts';
import type { ModeCompiler, Step } from '../compile/mode-compiler.ts';
import type { ServiceState } from '../compile/service-state.ts';
import type { Proxier, SyncResult } from './proxier.ts';
import { staleUdpConnections } from './udp-flows.ts';

export interface RulesProxierOptions {
  readonly compiler: ModeCompiler;
  /** Rejects when the node does not answer. */
  readonly send: (transaction: RulesTransaction) => Promise<RulesReply>;
  /** The node refused the rules: a bug of the compiler. */
  readonly refused: (problems: string) => void;
}

const OWNER = 'kube-proxy';

/** What the node was last known to have. */
interface Position {
  readonly bootId: string;
  readonly generation: number;
}

export class RulesProxier implements Proxier {
  private readonly options: RulesProxierOptions;
  private readonly states = new Map<string, ServiceState>();
  private forget: ForgottenConnections[] = [];
  private position: Position | undefined;

  constructor(options: RulesProxierOptions) {
    this.options = options;
  }

  update(service: ServiceState): void {
    this.forget.push(...staleUdpConnections(this.states.get(service.key), service));
    if (service.ports.length === 0) this.states.delete(service.key);
    else this.states.set(service.key, service);
    this.options.compiler.update(service);
  }

  async sync(verify: boolean): Promise<SyncResult> {
    const { compiler } = this.options;
    const { position } = this;
    if (position !== undefined) {
      const step = compiler.step(false);
      const ruleCounts = compiler.ruleCounts();
      if (step === undefined && !verify) return { applied: true, full: false, ruleCounts };
      const { bootId, generation: base } = position;
      const reply = await this.send({ owner: OWNER, bootId, base, ...(step?.part ?? { tables: {} }) }, step);
      if (reply.kind !== 'resync') return { applied: reply.kind === 'applied', full: false, ruleCounts };
    }
    const step = compiler.step(true);
    const reply = await this.send({ owner: OWNER, bootId: '', base: null, ...(step?.part ?? { tables: {} }) }, step);
    return { applied: reply.kind === 'applied', full: true, ruleCounts: compiler.ruleCounts() };
  }

  private async send(transaction: RulesTransaction, step: Step | undefined): Promise<RulesReply> {
    const { forget } = this;
    this.forget = [];
    this.position = undefined;
    let reply: RulesReply;
    try {
      reply = await this.options.send(forget.length === 0 ? transaction : { ...transaction, forget });
    } catch (error) {
      this.forget = [...forget, ...this.forget];
      throw error;
    }
    if (reply.kind === 'applied') {
      this.position = { bootId: reply.bootId, generation: reply.generation };
      step?.applied();
    } else this.forget = [...forget, ...this.forget];
    if (reply.kind === 'invalid') {
      this.options.refused(reply.problems.map(({ where, message }) => `${where}: ${message}`).join('; '));
    }
    return reply;
  }
}
