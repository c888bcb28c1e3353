/**
 * The iptables mode's hold on a node: it knows which program the node has, sends the difference, and sends everything when
 * the node says that it stands elsewhere (it booted anew, or a reply was lost).
 */
import type { ForgottenConnections, RulesReply, RulesTransaction } from '../../../../shared/rules/transaction.ts';
import { IptablesCompiler, type ServiceState } from '../../compile/iptables/compiler.ts';
import { changedTables, fullTables, type Program } from '../../compile/iptables/program.ts';
import type { IptablesContext } from '../../compile/iptables/service-rules.ts';
import type { Proxier, SyncResult } from '../proxier.ts';
import { staleUdpConnections } from './udp-flows.ts';

export interface IptablesProxierOptions {
  readonly context: IptablesContext;
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
  readonly program: Program;
}

export class IptablesProxier implements Proxier {
  readonly name = 'iptables';
  private readonly options: IptablesProxierOptions;
  private readonly compiler: IptablesCompiler;
  private readonly states = new Map<string, ServiceState>();
  private forget: ForgottenConnections[] = [];
  private position: Position | undefined;

  constructor(options: IptablesProxierOptions) {
    this.options = options;
    this.compiler = new IptablesCompiler(options.context);
  }

  update(service: ServiceState): void {
    this.forget.push(...staleUdpConnections(this.states.get(service.key), service));
    if (service.ports.length === 0) this.states.delete(service.key);
    else this.states.set(service.key, service);
    this.compiler.update(service);
  }

  async sync(verify: boolean): Promise<SyncResult> {
    const program = this.compiler.assemble();
    const ruleCounts = this.compiler.ruleCounts();
    const { position } = this;
    if (position !== undefined) {
      const tables = changedTables(position.program, program);
      if (tables === undefined && !verify) return { applied: true, full: false, ruleCounts };
      const { bootId, generation: base } = position;
      const reply = await this.send({ owner: OWNER, bootId, base, tables: tables ?? {} }, program);
      if (reply.kind !== 'resync') return { applied: reply.kind === 'applied', full: false, ruleCounts };
    }
    const reply = await this.send({ owner: OWNER, bootId: '', base: null, tables: fullTables(program) }, program);
    return { applied: reply.kind === 'applied', full: true, ruleCounts };
  }

  private async send(transaction: RulesTransaction, program: Program): Promise<RulesReply> {
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
    if (reply.kind === 'applied') this.position = { bootId: reply.bootId, generation: reply.generation, program };
    else this.forget = [...forget, ...this.forget];
    if (reply.kind === 'invalid') {
      this.options.refused(reply.problems.map(({ where, message }) => `${where}: ${message}`).join('; '));
    }
    return reply;
  }
}
