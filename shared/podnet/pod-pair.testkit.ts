/** Two pods joined by a veth pair on one engine with the real clock: a small network for tests of programs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventEngine } from '../netstack/event-engine.ts';
import { Host } from '../netstack/host.ts';
import { createVethPair } from '../netstack/veth.ts';
import { parseAddress } from '../wire/ip-address.ts';
import { PacketMemory } from '../wire/packet-memory.ts';
import type { StackLoop } from './deliveries.ts';
import type { PodNetwork } from './pod-network.ts';
import { connectPodNetwork } from './socket-client.ts';
import { type PodNetworkServer, servePodNetwork } from './socket-server.ts';
import { StackNetwork } from './stack-network.ts';

export const LEFT_ADDRESS = '10.244.1.2';
export const RIGHT_ADDRESS = '10.244.1.3';
export const LEFT_ADDRESS_IPV6 = 'fd00:10:244:1::2';
export const RIGHT_ADDRESS_IPV6 = 'fd00:10:244:1::3';

export interface PodPair {
  readonly left: PodNetwork;
  readonly right: PodNetwork;
  readonly leftHost: Host;
  readonly rightHost: Host;
  close(): Promise<void>;
}

/** An engine on the machine's clock; the production edge is node-agent/io/event-loop.ts. */
export class TestLoop implements StackLoop {
  readonly engine: EventEngine;
  /** Of the engine when the machine's clock was at zero. */
  private readonly originUs: number;
  private timer: NodeJS.Timeout | undefined;
  private depth = 0;

  /** An engine that ran in virtual time before goes on from there. */
  constructor(engine: EventEngine = new EventEngine({ random: Math.random })) {
    this.engine = engine;
    this.originUs = engine.nowUs === 0 ? 0 : engine.nowUs - performance.now() * 1000;
  }

  run<Result>(call: () => Result): Result {
    this.engine.enter(this.originUs + performance.now() * 1000);
    this.depth += 1;
    try {
      return call();
    } finally {
      this.depth -= 1;
      if (this.depth === 0) this.leave();
    }
  }

  close(): void {
    clearTimeout(this.timer);
    this.depth = 1;
  }

  private leave(): void {
    this.engine.drain();
    clearTimeout(this.timer);
    const deadlineUs = this.engine.nextDeadlineUs();
    if (deadlineUs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.min(
      2 ** 31 - 1,
      Math.max(0, Math.ceil((deadlineUs - this.originUs) / 1000 - performance.now())),
    );
    this.timer = setTimeout(() => this.run(() => undefined), waitMs);
  }
}

export interface PodPairOptions {
  /** The pods have fd00:10:244:1::2 and fd00:10:244:1::3 too. */
  readonly ipv6?: boolean;
}

/** Pods 10.244.1.2 and 10.244.1.3 in one /24 with a default route that leads nowhere (10.244.1.1). */
export function podPair({ ipv6 = false }: PodPairOptions = {}): PodPair {
  const loop = new TestLoop();
  const memory = new PacketMemory({ smallSlots: 4096, largeSlots: 64 });
  const host = (name: string): Host =>
    new Host({ engine: loop.engine, memory, name, ipv6, secret: new TextEncoder().encode(name.padEnd(16)) });
  const [leftHost, rightHost] = [host('left'), host('right')];
  loop.run(() => {
    const [leftDevice, rightDevice] = createVethPair(
      loop.engine,
      memory,
      { name: 'eth0', macAddress: 0x0a58_0af4_0102, index: 2, mtuBytes: 1450 },
      { name: 'eth0', macAddress: 0x0a58_0af4_0103, index: 2, mtuBytes: 1450 },
    );
    leftHost.addAddress(leftDevice, addressOf(LEFT_ADDRESS), 24);
    rightHost.addAddress(rightDevice, addressOf(RIGHT_ADDRESS), 24);
    if (ipv6) leftHost.addAddress(leftDevice, addressOf(LEFT_ADDRESS_IPV6), 64);
    if (ipv6) rightHost.addAddress(rightDevice, addressOf(RIGHT_ADDRESS_IPV6), 64);
    leftHost.routes.add({ destination: 0, prefixLength: 0, gateway: addressOf('10.244.1.1'), device: leftDevice });
  });
  return {
    left: new StackNetwork({ host: leftHost, loop }),
    right: new StackNetwork({ host: rightHost, loop }),
    leftHost,
    rightHost,
    close: async () => loop.close(),
  };
}

/** The same pods, each used through a Unix socket as another process would. */
export async function podPairOverSockets(options: PodPairOptions = {}): Promise<PodPair> {
  const pair = podPair(options);
  const folder = mkdtempSync(join(tmpdir(), 'podnet-'));
  const servers: PodNetworkServer[] = [];
  const overSocket = async (network: PodNetwork, name: string): Promise<PodNetwork> => {
    servers.push(await servePodNetwork({ network, path: join(folder, name) }));
    return connectPodNetwork({ path: join(folder, name) });
  };
  const left = await overSocket(pair.left, 'left.sock');
  const right = await overSocket(pair.right, 'right.sock');
  return {
    ...pair,
    left,
    right,
    close: async () => {
      left.close();
      right.close();
      for (const server of servers) await server.close();
      rmSync(folder, { recursive: true });
      await pair.close();
    },
  };
}

function addressOf(text: string): number {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}
