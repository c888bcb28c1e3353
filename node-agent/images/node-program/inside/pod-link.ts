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

  /** Ends a link and all that is open on it, at once. */
  end(network: SocketNetwork): void {
    network.close();
    // The node reads all links that have something for it before it asks for more: the second answer comes after that.
    this.await(this.shared.addresses().then(() => this.shared.addresses()));
  }

  /** What was closed on a link that others still use is closed for whoever comes next. */
  flush(network: SocketNetwork): void {
    network.flush();
    // Frames keep their order: an answer to a later one means that the close was seen.
    this.await(network.addresses());
  }

  private await(answer: Promise<unknown>): void {
    const over = (): void => void this.goodbyes.delete(goodbye);
    const goodbye: Promise<void> = answer.then(over, over);
    this.goodbyes.add(goodbye);
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
