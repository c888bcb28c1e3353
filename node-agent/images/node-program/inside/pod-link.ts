/** This process' ways to the pod's network: one link for connections and names, and one for each listening or UDP socket. */
import { openPodNetwork, type SocketNetwork } from '../../../../shared/podnet/socket-client.ts';

export class PodLink {
  readonly shared: SocketNetwork;
  private readonly path: string;
  private users = 0;

  /** `onLost` is told when the node is gone. */
  constructor(path: string, onLost: () => void) {
    this.path = path;
    this.shared = openPodNetwork({ path, onLost });
    this.shared.unref();
  }

  /** A link whose first request may be answered on the spot. */
  own(): SocketNetwork {
    return openPodNetwork({ path: this.path });
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
