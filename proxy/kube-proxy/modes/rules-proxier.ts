/**
 * A proxy mode's hold on a node: it knows what the node has, sends the difference, and sends everything when the node says
 * that it stands elsewhere (it booted anew, or a reply was lost).
 */
import type { ForgottenConnections, RulesReply, RulesTransaction } from '../../../shared/rules/transaction.ts';
import type { AddressHolder } from '../../../shared/wire/ipv6-table.ts';
import type { ModeCompiler, Step } from '../compile/mode-compiler.ts';
import type { ProxyContext } from '../compile/proxy-context.ts';
import type { ServiceState } from '../compile/service-state.ts';
import type { Proxier, SyncResult } from './proxier.ts';
import { staleUdpConnections } from './udp-flows.ts';

export interface RulesProxierOptions {
  /** What the compiler was made with. */
  readonly context: ProxyContext;
  readonly compiler: ModeCompiler;
  /** Rejects when the node does not answer. */
  readonly send: (transaction: RulesTransaction) => Promise<RulesReply>;
  /** The node refused the rules: a bug of the compiler. */
  readonly refused: (problems: string) => void;
}

const OWNER = 'kube-proxy';
const NOTHING = { tables: {} };

/** What the node was last known to have. */
interface Position {
  readonly bootId: string;
  readonly generation: number;
}

export class RulesProxier implements Proxier, AddressHolder {
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
    const { family } = this.options.context;
    if (position !== undefined) {
      const step = compiler.step(false);
      const ruleCounts = compiler.ruleCounts();
      if (step === undefined && !verify) return { applied: true, full: false, ruleCounts };
      const { bootId, generation: base } = position;
      const reply = await this.send({ owner: OWNER, family, bootId, base, ...(step?.part ?? NOTHING) }, step);
      if (reply.kind !== 'resync') return { applied: reply.kind === 'applied', full: false, ruleCounts };
    }
    const step = compiler.step(true);
    const reply = await this.send({ owner: OWNER, family, bootId: '', base: null, ...(step?.part ?? NOTHING) }, step);
    return { applied: reply.kind === 'applied', full: true, ruleCounts: compiler.ruleCounts() };
  }

  /** What was compiled names no others. */
  visitAddresses(visit: (address: number) => void): void {
    const { clusterCidr, serviceCidr, node } = this.options.context;
    for (const address of [clusterCidr.address, serviceCidr.address, node.address]) visit(address);
    for (const { ports } of this.states.values()) for (const one of ports) visitPort(one, visit);
    for (const { originalDestination, replySource } of this.forget) {
      if (originalDestination !== undefined) visit(originalDestination);
      if (replySource !== undefined) visit(replySource);
    }
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

function visitPort({ port, endpoints }: ServiceState['ports'][number], visit: (address: number) => void): void {
  for (const address of [port.clusterIp, ...port.externalIps, ...port.loadBalancerIps]) visit(address);
  for (const { address } of port.loadBalancerSourceRanges) visit(address);
  for (const { address } of endpoints) visit(address);
}
