/** Whether a rule may stand where it stands: the checks the kernel makes when a table is loaded. */
import type { Rule } from './rule.ts';
import type { TableName } from './table.ts';
import type { Target } from './target.ts';

/** The tables in which a target may be used (man iptables-extensions). */
const TARGET_TABLES: Readonly<Partial<Record<Target['kind'], TableName>>> = {
  dnat: 'nat',
  snat: 'nat',
  masquerade: 'nat',
  reject: 'filter',
};

const MAX_COMMENT_BYTES = 255;
const MAX_MULTIPORT_RANGES = 15;
/** IFNAMSIZ - 1. */
const MAX_DEVICE_NAME_LENGTH = 15;

/** One clear sentence per problem; none when the rule is fine. */
export function checkRule(table: TableName, rule: Rule): string[] {
  const problems: string[] = [];
  checkTarget(table, rule, problems);
  for (const device of [rule.inDevice, rule.outDevice]) {
    if (device !== undefined && !isDeviceName(device.name)) {
      problems.push(`device name "${device.name}" must have 1 to ${MAX_DEVICE_NAME_LENGTH} characters without spaces`);
    }
  }
  for (const match of rule.matches ?? []) {
    switch (match.kind) {
      case 'tcp':
      case 'udp':
      case 'sctp':
        if (!needsProtocol(rule, [match.kind])) problems.push(`match ${match.kind} needs protocol ${match.kind}`);
        if (match.flags !== undefined && match.kind !== 'tcp') problems.push(`match ${match.kind} has no flags`);
        break;
      case 'icmp':
      case 'icmp6':
        if (!needsProtocol(rule, [match.kind === 'icmp' ? 'icmp' : 'icmpv6'])) {
          problems.push(`match ${match.kind} needs its protocol`);
        }
        break;
      case 'multiport':
        if (!needsProtocol(rule, ['tcp', 'udp', 'sctp']))
          problems.push('match multiport needs protocol tcp, udp or sctp');
        if (match.ports.length === 0 || match.ports.length > MAX_MULTIPORT_RANGES) {
          problems.push(`match multiport takes 1 to ${MAX_MULTIPORT_RANGES} ports, not ${match.ports.length}`);
        }
        break;
      case 'comment':
        if (match.comment.length > MAX_COMMENT_BYTES) {
          problems.push(`a comment has at most ${MAX_COMMENT_BYTES} characters, this one ${match.comment.length}`);
        }
        break;
      case 'recent':
        if (match.list === '') problems.push('match recent needs the name of its list');
        break;
      case 'conntrack':
        if (match.states.length === 0) problems.push('match conntrack needs at least one state');
        break;
    }
  }
  return problems;
}

function checkTarget(table: TableName, rule: Rule, problems: string[]): void {
  const target = rule.target;
  if (target === undefined) return;
  const only = TARGET_TABLES[target.kind];
  if (only !== undefined && only !== table) {
    problems.push(`target ${target.kind.toUpperCase()} is valid only in table ${only}`);
  }
  if (target.kind === 'dnat' && target.port !== undefined && !needsProtocol(rule, ['tcp', 'udp', 'sctp'])) {
    problems.push('DNAT to a port needs protocol tcp, udp or sctp');
  }
  if (target.kind === 'reject' && target.with === 'tcp-reset' && !needsProtocol(rule, ['tcp'])) {
    problems.push('REJECT with tcp-reset needs protocol tcp');
  }
}

function needsProtocol(rule: Rule, names: readonly string[]): boolean {
  return rule.protocol !== undefined && !rule.protocol.negated && names.includes(rule.protocol.name);
}

function isDeviceName(name: string): boolean {
  return name.length > 0 && name.length <= MAX_DEVICE_NAME_LENGTH && !/[\s/]/.test(name);
}
