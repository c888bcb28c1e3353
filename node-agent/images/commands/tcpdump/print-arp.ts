import { formatIpv4, formatMac } from '../../../../shared/wire/address.ts';
import * as arp from '../../../../shared/wire/arp.ts';
import type { Piece, PrintContext } from './print-options.ts';

export function printArp(context: PrintContext, { view, at, end }: Piece): string {
  if (!arp.check(view, at, end - at)) return '[|arp]';
  const kind = context.options.verbosity > 0 ? 'Ethernet (len 6), IPv4 (len 4), ' : '';
  return `${kind}${operationText(view, at)}, length ${end - at}`;
}

function operationText(view: DataView, at: number): string {
  const sender = formatIpv4(arp.senderIp(view, at));
  const target = formatIpv4(arp.targetIp(view, at));
  switch (arp.operation(view, at)) {
    case arp.REQUEST: {
      const asked = arp.targetMac(view, at);
      if (sender === target) return `Announcement ${sender}`;
      return `Request who-has ${target}${asked === 0 ? '' : ` (${formatMac(asked)})`} tell ${sender}`;
    }
    case arp.REPLY:
      return `Reply ${sender} is-at ${formatMac(arp.senderMac(view, at))}`;
    default:
      return `Unknown (${arp.operation(view, at)})`;
  }
}
