import type { NetDevice } from './device.ts';
import type { Fib } from './route.ts';

/**
 * From whom, to which address and through which device the last packet came that this host took for itself. Another one like
 * it passes the same checks for as long as neither routes nor addresses change, so that they are not made again.
 */
export class LastDelivery {
  private readonly routes: Fib;
  private source = 0;
  private destination = 0;
  private device: NetDevice | null = null;
  private generation = -1;

  constructor(routes: Fib) {
    this.routes = routes;
  }

  isAlike(source: number, destination: number, device: NetDevice): boolean {
    return (
      this.source === (source | 0) &&
      this.destination === (destination | 0) &&
      this.device === device &&
      this.generation === this.routes.generation
    );
  }

  note(source: number, destination: number, device: NetDevice): void {
    this.source = source | 0;
    this.destination = destination | 0;
    this.device = device;
    this.generation = this.routes.generation;
  }

  /** An IPv6 address' number may stand for another one soon. */
  visitAddresses(visit: (address: number) => void): void {
    visit(this.source);
    visit(this.destination);
  }
}
