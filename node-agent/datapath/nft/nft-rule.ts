/** A rule of nftables in the form in which packets meet it. */
import type { Verdict } from '../../../shared/netstack/hooks.ts';
import type { NftMatch, NftRule, NftStatement } from '../../../shared/rules/nft.ts';
import { protocolNumber } from '../../../shared/rules/service-key.ts';
import { isInNetwork } from '../../../shared/wire/ip-address.ts';
import type { PacketFacts } from '../packet-facts.ts';
import type { NftElements } from './nft-set.ts';
import { addressOf } from './nft-set.ts';

/** What rules need beside the packet. */
export interface NftContext {
  readonly random: () => number;
  readonly nowUs: () => number;
  readonly isLocalAddress: (address: number) => boolean;
  readonly set: (name: string) => NftElements | undefined;
}

type Test = (facts: PacketFacts) => boolean;

export class CompiledNftRule {
  readonly rule: NftRule;
  readonly statement: NftStatement;
  /** What DROP and REJECT answer. */
  readonly verdict: Verdict;
  private readonly tests: readonly Test[];

  constructor(rule: NftRule, context: NftContext, where: string) {
    this.rule = rule;
    this.statement = rule.statement;
    this.verdict = verdictOf(rule.statement, where);
    this.tests = (rule.matches ?? []).map((match) => testOf(match, context));
  }

  matches(facts: PacketFacts): boolean {
    const { tests } = this;
    for (let i = 0; i < tests.length; i++) if (!tests[i]!(facts)) return false;
    return true;
  }
}

export function dropVerdict(where: string): Verdict {
  return Object.freeze({ code: 'rule-drop', cause: where });
}

function verdictOf(statement: NftStatement, where: string): Verdict {
  if (statement.kind === 'drop') return dropVerdict(where);
  if (statement.kind !== 'reject') return null;
  return Object.freeze({ reject: 'port-unreachable', reason: { code: 'rule-reject', cause: where } });
}

function testOf(match: NftMatch, context: NftContext): Test {
  switch (match.kind) {
    case 'address': {
      const { side, prefixes, negated = false } = match;
      return (facts) => {
        const address = addressOf(facts, side) >>> 0;
        return prefixes.some((prefix) => isInNetwork(address, prefix.address, prefix.prefixLength)) !== negated;
      };
    }
    case 'in-set':
      return (facts) => context.set(match.set)?.has(addressOf(facts, match.side), context.nowUs()) ?? false;
    case 'protocol': {
      const protocol = protocolNumber(match.protocol);
      return (facts) => facts.protocol === protocol;
    }
    case 'port': {
      const protocol = protocolNumber(match.protocol);
      return (facts) => facts.protocol === protocol && facts.destinationPort === match.port;
    }
    case 'new':
      return ({ flow }) => flow !== null && flow.relatedTo === null && !flow.isReply && !flow.connection.seenReply;
    case 'unmarked':
      return (facts) => (facts.packet.mark & match.bits) === 0;
    case 'local':
      return (facts) => context.isLocalAddress(addressOf(facts, match.side) >>> 0);
  }
}
