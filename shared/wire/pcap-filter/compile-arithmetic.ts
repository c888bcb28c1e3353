/** Numbers of a packet: unsigned 32-bit arithmetic over its bytes, as the kernel's filter machine has it. */
import { IP_PROTOCOLS } from './names.ts';
import type { PacketLayers } from './packet-layers.ts';
import type { Arithmetic, ByteBase, Operator } from './syntax.ts';

export interface LoadState {
  /** Of the packet at hand. */
  wireBytes: number;
  /** A byte was asked for that the packet does not have, or something was divided by zero. */
  beyondEnd: boolean;
}

export function arithmetic(expression: Arithmetic, layers: PacketLayers, state: LoadState): () => number {
  switch (expression.kind) {
    case 'constant':
      return () => expression.value;
    case 'length':
      return () => state.wireBytes;
    case 'load': {
      const { base, bytes } = expression;
      const offset = arithmetic(expression.offset, layers, state);
      return () => load(layers, state, baseOffset(base, layers) + offset(), bytes);
    }
    case 'binary': {
      const left = arithmetic(expression.left, layers, state);
      const right = arithmetic(expression.right, layers, state);
      const { operator } = expression;
      return () => calculate(operator, left(), right(), state);
    }
  }
}

/** What a packet must be for the bytes of an expression to be there: IP protocol numbers, and names of link and network protocols. */
export function relationProtocols(expression: Arithmetic): (number | string)[] {
  if (expression.kind === 'binary') {
    return [...relationProtocols(expression.left), ...relationProtocols(expression.right)];
  }
  if (expression.kind !== 'load') return [];
  return [IP_PROTOCOLS[expression.base]?.protocol ?? expression.base, ...relationProtocols(expression.offset)];
}

function baseOffset(base: ByteBase, layers: PacketLayers): number {
  if (base === 'ether') return layers.link;
  return base in IP_PROTOCOLS ? layers.transport : layers.network;
}

function load({ view, end }: PacketLayers, state: LoadState, at: number, bytes: 1 | 2 | 4): number {
  if (at < 0 || at + bytes > end) {
    state.beyondEnd = true;
    return 0;
  }
  if (bytes === 1) return view.getUint8(at);
  return bytes === 2 ? view.getUint16(at) : view.getUint32(at);
}

function calculate(operator: Operator, left: number, right: number, state: LoadState): number {
  switch (operator) {
    case '+':
      return (left + right) >>> 0;
    case '-':
      return (left - right) >>> 0;
    case '*':
      return Math.imul(left, right) >>> 0;
    case '/':
    case '%':
      if (right === 0) {
        state.beyondEnd = true;
        return 0;
      }
      return operator === '/' ? Math.floor(left / right) : left % right;
    case '&':
      return (left & right) >>> 0;
    case '|':
      return (left | right) >>> 0;
    case '^':
      return (left ^ right) >>> 0;
    case '<<':
      return right > 31 ? 0 : (left << right) >>> 0;
    case '>>':
      return right > 31 ? 0 : left >>> right;
  }
}
