/** `bridge`: the FDB, ports and VLANs of a node. */
import type { NodeDatapath } from '../datapath/path.ts';
import { fdbRows, formatFdb } from '../datapath/show/fdb.ts';
import { formatBridgeLinks } from '../datapath/show/link.ts';
import { masterOf, nodeNamespace, type ShownNamespace } from '../datapath/show/namespace.ts';
import { type CommandOutput, failed, printed, printedJson } from './command-output.ts';

export function bridgeCommand(datapath: NodeDatapath, words: readonly string[]): CommandOutput {
  const json = words.includes('-j') || words.includes('-json');
  const [object = '', ...rest] = words.filter((word) => !word.startsWith('-'));
  const namespace = nodeNamespace(datapath);
  if (object !== '' && 'fdb'.startsWith(object)) {
    const br = rest.indexOf('br');
    const rows = fdbRows(namespace, br === -1 ? undefined : rest[br + 1]);
    const dev = rest.indexOf('dev');
    const shown = dev === -1 ? rows : rows.filter((row) => row.ifname === rest[dev + 1]);
    return json ? printedJson(shown) : printed(formatFdb(shown));
  }
  if (object !== '' && 'link'.startsWith(object)) return printed(formatBridgeLinks(namespace));
  if (object !== '' && 'vlan'.startsWith(object)) return printed(vlanText(namespace));
  return failed('Usage: bridge [ -j ] { fdb | link | vlan } [ show ] [ br BRIDGE ] [ dev DEVICE ]', 255);
}

/** VLAN filtering is off: every port is in VLAN 1. */
function vlanText(namespace: ShownNamespace): string {
  const members = namespace.devices.filter(
    (device) => device.kind === 'bridge' || masterOf(namespace, device) !== undefined,
  );
  const lines = members.map(({ name }) => `${name.padEnd(17)} 1 PVID Egress Untagged\n`);
  return `port              vlan-id  \n${lines.join('')}`;
}
