/** `bridge` (iproute2): the FDB, ports and VLANs of a namespace, and, for an administrator, changes of the FDB. */
import type { NetDevice } from '../../shared/netstack/device.ts';
import { parseMac } from '../../shared/wire/address.ts';
import { fdbRows, formatFdb } from '../datapath/show/fdb.ts';
import { formatBridgeLinks, linkJson, linkRows } from '../datapath/show/link.ts';
import { masterOf, type ShownNamespace } from '../datapath/show/namespace.ts';
import { TunnelDevice } from '../datapath/tunnel-device.ts';
import { type CommandOutput, failed, printed, printedJson } from './command-output.ts';
import { IpError, usageError } from './ip/ip-error.ts';
import { isListing, verbOf } from './ip/verbs.ts';
import { deviceNamed, garbage, Words } from './ip/words.ts';

const FDB_CHANGES = ['add', 'append', 'replace', 'delete'] as const;
const USAGE =
  'Usage: bridge [ OPTIONS ] OBJECT { COMMAND | help }\n' +
  'where  OBJECT := { link | fdb | vlan }\n' +
  '       OPTIONS := { -j[son] | -d[etails] }';

export function bridgeCommand(namespace: ShownNamespace, words: readonly string[]): CommandOutput {
  const json = words.includes('-j') || words.includes('-json');
  const [object, ...rest] = words.filter((word) => !word.startsWith('-'));
  try {
    if (object === undefined || object === 'help') return failed(USAGE, 255);
    if ('fdb'.startsWith(object)) return fdb(namespace, rest, json);
    if ('link'.startsWith(object)) return links(namespace, json);
    if ('vlan'.startsWith(object)) return vlans(namespace, json);
    return failed(`Object "${object}" is unknown, try "bridge help".`, 255);
  } catch (error) {
    if (error instanceof IpError) return failed(error.message, error.code);
    throw error;
  }
}

function fdb(namespace: ShownNamespace, [verb, ...rest]: readonly string[], json: boolean): CommandOutput {
  const change = verbOf(FDB_CHANGES, verb);
  if (change !== undefined) {
    changeFdb(namespace, change, rest);
    return printed('');
  }
  if (!isListing(verb)) throw usageError(`Command "${verb}" is unknown, try "bridge fdb help".`);
  const words = new Words(rest);
  let bridge: string | undefined;
  let device: string | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'br' || word === 'brport') bridge = deviceNamed(namespace, words.value()).name;
    else device = deviceNamed(namespace, word === 'dev' ? words.value() : word).name;
  }
  const rows = fdbRows(namespace, bridge).filter(({ ifname }) => device === undefined || ifname === device);
  return json ? printedJson(rows) : printed(formatFdb(rows));
}

function links(namespace: ShownNamespace, json: boolean): CommandOutput {
  if (!json) return printed(formatBridgeLinks(namespace));
  const ports = linkRows(namespace).filter(({ master }) => master !== undefined);
  return printedJson(
    ports.map((row) => {
      const { ifindex, link_index, ifname, flags, mtu, master } = linkJson(row);
      return { ifindex, link_index, ifname, flags, mtu, master, state: 'forwarding', priority: 32, cost: 2 };
    }),
  );
}

/** VLAN filtering is off: every port is in VLAN 1. */
function vlans(namespace: ShownNamespace, json: boolean): CommandOutput {
  const members = namespace.devices.filter(
    (device) => device.kind === 'bridge' || masterOf(namespace, device) !== undefined,
  );
  if (json) {
    const vlan = { vlan: 1, flags: ['PVID', 'Egress Untagged'] };
    return printedJson(members.map(({ name }) => ({ ifname: name, vlans: [vlan] })));
  }
  const lines = members.map(({ name }) => `${name.padEnd(17)} 1 PVID Egress Untagged\n`);
  return printed(`port              vlan-id  \n${lines.join('')}`);
}

interface SaidOfEntry {
  readonly macAddress: number;
  readonly device: NetDevice;
  /** Remote tunnel end. */
  readonly remote: number | undefined;
}

/** `add MAC dev DEVICE [dst ADDRESS] [self|master] [permanent|static]` */
function changeFdb(namespace: ShownNamespace, change: (typeof FDB_CHANGES)[number], given: readonly string[]): void {
  const entry = readEntry(namespace, given);
  if (!namespace.administrator) throw refused('Operation not permitted');
  const { device, macAddress, remote } = entry;
  if (device instanceof TunnelDevice && device.kind === 'vxlan') {
    const isThere = device.fdbEntries().has(macAddress);
    if (change === 'delete') {
      if (!isThere) throw refused('No such file or directory');
      device.removeFdbEntry(macAddress);
      return;
    }
    if (isThere && change === 'add') throw refused('File exists');
    const peer = remote === undefined ? undefined : namespace.peerAt(remote);
    if (peer === undefined)
      throw new IpError('podwire: an entry of a tunnel leads to another node: say dst INTERNAL-IP', 1);
    device.setFdbEntry(macAddress, peer);
    return;
  }
  const master = masterOf(namespace, device);
  const port = master?.ports.get(device);
  if (master === undefined || port === undefined) throw refused('Operation not supported');
  if (change !== 'delete') master.fdb.add(macAddress, port, namespace.host.engine.nowUs);
  else if (!master.fdb.remove(macAddress)) throw refused('No such file or directory');
}

function readEntry(namespace: ShownNamespace, given: readonly string[]): SaidOfEntry {
  const words = new Words(given);
  let mac: string | undefined;
  let device: NetDevice | undefined;
  let remote: number | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'dev') device = words.device(namespace);
    else if (word === 'dst') remote = words.address('ipv4');
    else if (['self', 'master', 'permanent', 'local', 'static', 'dynamic', 'temp', 'extern_learn'].includes(word))
      continue;
    else if (word === 'vni' || word === 'port' || word === 'vlan' || word === 'via') words.value();
    else if (mac !== undefined) throw garbage('to', word);
    else mac = word;
  }
  if (device === undefined || mac === undefined) throw usageError('Device and address are required arguments.');
  const macAddress = parseMac(mac);
  if (macAddress === undefined) throw usageError(`Invalid address "${mac}"`);
  return { macAddress, device, remote };
}

/** `bridge` ends with another code than `ip`. */
function refused(text: string): IpError {
  return usageError(`RTNETLINK answers: ${text}`);
}
