/**
 * Filters of tcpdump's language (pcap-filter(7)) as predicates over the bytes of Ethernet frames.
 *
 *   text -> parser.ts -> tree -> closures over the layers of the packet at hand
 */

import { compileAddress } from './compile-address.ts';
import { arithmetic, type LoadState, relationProtocols } from './compile-arithmetic.ts';
import { ETHERTYPES } from './names.ts';
import { PacketLayers } from './packet-layers.ts';
import { parseFilter } from './parser.ts';
import type { Comparison, Expression, Primitive } from './syntax.ts';

/**
 * Whether a frame of `length` bytes at `offset` passes. `wireBytes` is its length before a snapshot length cut it (`length`
 * by default); `outbound` is asked for by the primitives `inbound` and `outbound` alone.
 */
export type PacketFilter = (
  view: DataView,
  offset: number,
  length: number,
  wireBytes?: number,
  outbound?: boolean,
) => boolean;

type Test = () => boolean;

/** Throws FilterError. An empty text lets everything pass. */
export function compileFilter(text: string): PacketFilter {
  const expression = parseFilter(text);
  return expression === undefined ? () => true : new Compiler(expression).filter();
}

interface Inside {
  readonly what: 'vlan' | 'vxlan' | 'geneve';
  readonly id: number | undefined;
  found: boolean;
}

class Compiler {
  private readonly expression: Expression;
  /** The packet, and what is inside of it for every tag and tunnel the filter names. */
  private readonly layers: PacketLayers[] = [new PacketLayers()];
  private readonly insides: Inside[] = [];
  private readonly state: LoadState = { wireBytes: 0, beyondEnd: false };
  private outbound = false;

  constructor(expression: Expression) {
    this.expression = expression;
  }

  filter(): PacketFilter {
    const passes = this.compile(this.expression);
    const { layers, insides, state } = this;
    return (view, offset, length, wireBytes = length, outbound = false) => {
      layers[0]!.readFrame(view, offset, length);
      insides.forEach((inside, index) => {
        inside.found = layers[index + 1]!.readInside(layers[index]!, inside.what, inside.id);
      });
      state.wireBytes = wireBytes;
      state.beyondEnd = false;
      this.outbound = outbound;
      // As the kernel does: a packet without the bytes that the filter reads does not pass, whatever else is said.
      return passes() && !state.beyondEnd;
    };
  }

  private compile(expression: Expression): Test {
    switch (expression.kind) {
      case 'and': {
        const left = this.compile(expression.left);
        const right = this.compile(expression.right);
        return () => left() && right();
      }
      case 'or': {
        const left = this.compile(expression.left);
        const right = this.compile(expression.right);
        return () => left() || right();
      }
      case 'not': {
        const operand = this.compile(expression.operand);
        return () => !operand();
      }
      default:
        return this.compilePrimitive(expression);
    }
  }

  private compilePrimitive(primitive: Primitive): Test {
    const layers = this.layers.at(-1)!;
    switch (primitive.kind) {
      case 'inside':
        return this.goInside(primitive.what, primitive.id);
      case 'travels':
        return () => this.outbound === primitive.outbound;
      case 'ethertype':
        return () => layers.etherType === primitive.type;
      case 'ip-protocol': {
        const { family, protocol } = primitive;
        return () => layers.ipProtocol === protocol && (family === 'any' || layers.ipVersion === family);
      }
      case 'relation':
        return this.compileRelation(primitive, layers);
      default:
        return compileAddress(primitive, layers);
    }
  }

  private goInside(what: Inside['what'], id: number | undefined): Test {
    const inside: Inside = { what, id, found: false };
    this.insides.push(inside);
    this.layers.push(new PacketLayers());
    return () => inside.found;
  }

  private compileRelation(relation: Extract<Primitive, { kind: 'relation' }>, layers: PacketLayers): Test {
    const left = arithmetic(relation.left, layers, this.state);
    const right = arithmetic(relation.right, layers, this.state);
    const compare = COMPARE[relation.comparison];
    const protocols = [...relationProtocols(relation.left), ...relationProtocols(relation.right)];
    const present = protocols.map((protocol) => protocolTest(protocol, layers));
    return () => present.every((test) => test()) && compare(left(), right());
  }
}

/** Whether the packet is of the protocol whose bytes a relation reads; the bytes of a later fragment are none. */
function protocolTest(protocol: number | string, layers: PacketLayers): Test {
  if (typeof protocol === 'number') return () => layers.ipProtocol === protocol && layers.transport >= 0;
  const etherType = ETHERTYPES[protocol];
  return etherType === undefined ? () => layers.link >= 0 : () => layers.etherType === etherType;
}

const COMPARE: Readonly<Record<Comparison, (left: number, right: number) => boolean>> = {
  '=': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '>': (left, right) => left > right,
  '<=': (left, right) => left <= right,
  '>=': (left, right) => left >= right,
};
