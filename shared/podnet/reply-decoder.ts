/** Answers of the server that are more than a few fields. */
import type { InterfaceAddress, PingOutcome } from './pod-network.ts';
import { ProtocolError } from './socket-protocol.ts';

export function decodeAddresses(message: Record<string, unknown>): InterfaceAddress[] {
  if (!Array.isArray(message.addresses)) throw new ProtocolError('addresses is not a list');
  return message.addresses.map((entry: unknown) => {
    if (
      typeof entry !== 'object' ||
      entry === null ||
      !('address' in entry) ||
      !('device' in entry) ||
      !('prefixLength' in entry)
    ) {
      throw new ProtocolError('address entry is incomplete');
    }
    return { device: String(entry.device), address: String(entry.address), prefixLength: Number(entry.prefixLength) };
  });
}

export function decodePingOutcome(message: Record<string, unknown>): PingOutcome {
  const from = String(message.from);
  const ttl = typeof message.ttl === 'number' ? message.ttl : undefined;
  switch (message.kind) {
    case 'timeout':
      return { kind: 'timeout' };
    case 'time-exceeded':
      return { kind: 'time-exceeded', from, ttl };
    case 'unreachable':
      return {
        kind: 'unreachable',
        from,
        code: Number(message.code),
        mtuBytes: typeof message.mtuBytes === 'number' ? message.mtuBytes : undefined,
        ttl,
      };
    case 'reply': {
      const reply = message.reply;
      if (typeof reply !== 'object' || reply === null) throw new ProtocolError('ping reply is incomplete');
      const fields = new Map(Object.entries(reply));
      const field = (name: string): number => Number(fields.get(name));
      return {
        kind: 'reply',
        from,
        reply: { sequence: field('sequence'), bytes: field('bytes'), ttl: field('ttl'), rttMs: field('rttMs') },
      };
    }
    default:
      throw new ProtocolError(`unknown ping outcome ${String(message.kind)}`);
  }
}
