import { Flannel } from '../flannel/flannel.ts';

/** flannel's network, and NetworkPolicy in force. */
export class Canal extends Flannel {
  override readonly enforcesPolicy: boolean = true;
}
