import { describe, expect, it } from 'vitest';
import type { NetDevice } from '../../shared/netstack/device.ts';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { Host } from '../../shared/netstack/host.ts';
import { createVethPair } from '../../shared/netstack/veth.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as vlan from '../../shared/wire/vlan.ts';
import { BridgeDevice } from './bridge.ts';
import { FDB_AGEING_US, MAX_FDB_ENTRIES } from './fdb.ts';
import { BridgePorts } from './rule-tables.ts';

const BRIDGE_MAC = 0x0200_0000_00ff;

/** A bridge whose ports write down what leaves through them; frames are ARP-typed so that no hook looks at them. */
function bridgeWith(portCount: number) {
  const engine = new EventEngine({ random: () => 0.5 });
  const memory = new PacketMemory({ smallSlots: 256, largeSlots: 1 });
  engine.enter(1);
  const host = new Host({ engine, memory, name: 'node', secret: new Uint8Array(16) });
  const options = {
    engine,
    memory,
    host,
    rulePorts: new BridgePorts(),
    name: 'cni0',
    index: 4,
    macAddress: BRIDGE_MAC,
    mtuBytes: 1450,
  };
  const bridge = new BridgeDevice(options);
  const log: string[] = [];
  bridge.upcall = {
    input: (_, frame) => {
      log.push('host');
      memory.free(frame);
    },
  };
  const ends: NetDevice[] = [];
  for (let i = 0; i < portCount; i++) {
    const [port, end] = createVethPair(
      engine,
      memory,
      { name: `veth${i}`, macAddress: 0x0200_0000_0100 + i, index: 10 + i },
      { name: 'eth0', macAddress: 0x0200_0000_0000 + i, index: 2 },
    );
    bridge.addPort(port, false);
    end.upcall = {
      input: (_, frame) => {
        log.push(`port ${i}`);
        memory.free(frame);
      },
    };
    ends.push(end);
  }
  const send = (from: number, to: number, source = ends[from]!.macAddress) => {
    const frame = memory.allocate(60)!;
    ethernet.encode(memory.view, frame.offset, to, source, ethernet.TYPE_ARP);
    ends[from]!.transmit(frame);
    engine.drain();
    return log.splice(0);
  };
  return { engine, memory, bridge, ends, send };
}

const mac = (port: number) => 0x0200_0000_0000 + port;

describe('bridge', () => {
  it('passes a tagged frame (802.1Q) on as it is', () => {
    const { memory, engine, ends, send } = bridgeWith(2);
    send(1, mac(0));
    const frame = memory.allocate(64)!;
    const { view, bytes } = memory;
    ethernet.encode(view, frame.offset, mac(1), mac(0), ethernet.TYPE_VLAN);
    vlan.encode(view, frame.offset + 12, 100, 5);
    view.setUint16(frame.offset + 16, ethernet.TYPE_IPV4);
    const sent = bytes.slice(frame.offset, frame.offset + frame.length);
    let arrived: Uint8Array | undefined;
    ends[1]!.upcall = {
      input: (_, { offset, length }) => {
        arrived = bytes.slice(offset, offset + length);
      },
    };
    ends[0]!.transmit(frame);
    engine.drain();
    expect(arrived).toEqual(sent);
  });

  it('floods to unknown addresses, and learns from the answer', () => {
    const { send, memory } = bridgeWith(3);
    expect(send(0, mac(2))).toEqual(['port 1', 'port 2']);
    expect(send(2, mac(0))).toEqual(['port 0']);
    expect(send(0, mac(2))).toEqual(['port 2']);
    expect(memory.inUse).toBe(0);
  });

  it('sends groups to every other port and to the host, its own address to the host alone', () => {
    const { send } = bridgeWith(3);
    expect(send(1, ethernet.BROADCAST)).toEqual(['host', 'port 0', 'port 2']);
    expect(send(1, BRIDGE_MAC)).toEqual(['host']);
  });

  it('follows an address that moves, and forgets one that is silent', () => {
    const { send, engine } = bridgeWith(3);
    send(0, mac(9));
    expect(send(2, mac(0))).toEqual(['port 0']);
    send(1, mac(9), mac(0));
    expect(send(2, mac(0))).toEqual(['port 1']);
    engine.enter(engine.nowUs + FDB_AGEING_US + 1);
    expect(send(2, mac(0))).toEqual(['port 0', 'port 1']);
  });

  it('sends nothing back through its port unless the port is in hairpin mode', () => {
    const { send, bridge, memory } = bridgeWith(2);
    send(0, mac(9));
    send(0, mac(9), mac(8));
    expect(send(0, mac(8))).toEqual([]);
    for (const port of bridge.ports.values()) port.hairpin = true;
    expect(send(0, mac(8))).toEqual(['port 0']);
    expect(memory.inUse).toBe(0);
  });

  it('learns no group address and no more than its table holds', () => {
    const { send, bridge } = bridgeWith(2);
    const before = bridge.fdb.size;
    send(0, mac(1), ethernet.BROADCAST);
    expect(bridge.fdb.size).toBe(before);
    for (let i = 0; i < MAX_FDB_ENTRIES + 10; i++) send(0, mac(1), 0x0a00_0000_0000 + i);
    expect(bridge.fdb.size).toBe(MAX_FDB_ENTRIES);
    expect(bridge.fdb.refused).toBe(before + 10);
  });

  it('forgets a port with all that was behind it', () => {
    const { send, bridge, ends } = bridgeWith(3);
    send(0, mac(9));
    const port = [...bridge.ports.values()][0]!;
    bridge.removePort(port.device);
    expect(send(2, mac(0))).toEqual(['port 1']);
    expect(bridge.fdb.list(1).some((entry) => entry.port === port)).toBe(false);
    expect(ends.length).toBe(3);
  });
});
