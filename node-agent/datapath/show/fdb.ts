/** `bridge fdb show`: what the bridge learned, and where the overlay's device sends. */
import { formatIpv4, formatMac } from '../../../shared/wire/address.ts';
import { VxlanDevice } from '../vxlan-device.ts';
import { asText } from './link.ts';
import { bridgesOf, type ShownNamespace } from './namespace.ts';

export interface FdbRow {
  readonly mac: string;
  readonly ifname: string;
  /** Remote tunnel end. */
  readonly dst?: string;
  readonly flags: readonly string[];
  readonly master?: string;
  readonly state: '' | 'permanent';
}

/** Entries of all bridges, or of one. */
export function fdbRows(namespace: ShownNamespace, bridgeName?: string): FdbRow[] {
  const nowUs = namespace.host.engine.nowUs;
  const bridges = bridgesOf(namespace).filter(({ name }) => bridgeName === undefined || name === bridgeName);
  const learned = bridges.flatMap((bridge) =>
    bridge.fdb.list(nowUs).map(
      ({ macAddress, port, permanent }): FdbRow => ({
        mac: formatMac(macAddress),
        ifname: port!.device.name,
        flags: [],
        master: bridge.name,
        state: permanent ? 'permanent' : '',
      }),
    ),
  );
  return bridgeName === undefined ? [...overlayRows(namespace), ...learned] : learned;
}

function overlayRows(namespace: ShownNamespace): FdbRow[] {
  const rows: FdbRow[] = [];
  for (const device of namespace.devices) {
    if (!(device instanceof VxlanDevice)) continue;
    for (const [mac, peer] of device.fdbEntries()) {
      const remote = namespace.peerAddress(peer.nodeName);
      rows.push({
        mac: formatMac(mac),
        ifname: device.name,
        dst: remote === undefined ? undefined : formatIpv4(remote),
        flags: ['self'],
        state: 'permanent',
      });
    }
  }
  return rows;
}

export function formatFdb(rows: readonly FdbRow[]): string {
  return asText(
    rows.map(({ mac, ifname, dst, flags, master, state }) => {
      const parts = [mac, 'dev', ifname];
      if (dst !== undefined) parts.push('dst', dst);
      parts.push(...flags);
      if (master !== undefined) parts.push('master', master);
      parts.push(state);
      return parts.join(' ');
    }),
  );
}
