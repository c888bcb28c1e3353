/** This process' ways to the pod's network: one link for connections and names, and one for each listening or UDP socket. */
import { openPodNetwork, type SocketNetwork } from '../../../../shared/podnet/socket-client.ts';
import { socketErrorCode } from '../../../../shared/podnet/socket-error.ts';

const OPEN_ATTEMPTS = 100;

export class PodLink {
  readonly shared: SocketNetwork;
  private readonly path: string;
  private readonly goodbyes = new Set<Promise<void>>();
  private users = 0;

  /** `onLost` is told when the node is gone. */
  constructor(path: string, onLost: () => void) {
    this.path = path;
    this.shared = openPodNetwork({ path, onLost });
    this.shared.unref();
  }

  /**
   * Opens something that a program wants to have at once. A port that this process has just given up may be free only when
   * the node has heard of it; each attempt is a round trip to the node.
   */
  openNow<T>(open: (network: SocketNetwork) => T): { readonly opened: T; readonly network: SocketNetwork } {
    for (let attempt = 1; ; attempt++) {
      const network = openPodNetwork({ path: this.path });
      try {
        return { opened: open(network), network };
      } catch (error) {
        network.close();
        const mayBecomeFree = socketErrorCode(error) === 'EADDRINUSE' && this.goodbyes.size > 0;
        if (!mayBecomeFree || attempt === OPEN_ATTEMPTS) throw error;
      }
    }
  }

  /** The network's socket has been closed: resolves when the node has heard of it. */
  sayGoodbye(network: SocketNetwork): Promise<void> {
    const over = (): void => void this.goodbyes.delete(goodbye);
    // Frames keep their order: an answer to a later one means that the close was seen.
    const goodbye: Promise<void> = network.addresses().then(over, over);
    this.goodbyes.add(goodbye);
    return goodbye;
  }

  /** What was closed before is closed for whoever connects now. */
  async afterGoodbyes(): Promise<void> {
    while (this.goodbyes.size > 0) await Promise.all(this.goodbyes);
  }

  /** While something that keeps a process alive uses the shared link, it keeps it alive too. */
  retain(): void {
    this.users += 1;
    if (this.users === 1) this.shared.ref();
  }

  release(): void {
    this.users -= 1;
    if (this.users === 0) this.shared.unref();
  }
}
