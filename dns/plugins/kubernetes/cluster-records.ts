/** What the cluster holds, indexed as DNS asks for it: Services by name and address, endpoints by Service and address. */

export interface DnsPort {
  /** Empty when it has no name. */
  readonly name: string;
  /** `tcp`, `udp` */
  readonly protocol: string;
  readonly port: number;
}

export interface DnsService {
  readonly namespace: string;
  readonly name: string;
  readonly kind: 'cluster' | 'headless' | 'external';
  readonly clusterIps: readonly string[];
  /** Of kind `external`. */
  readonly externalName: string;
  readonly ports: readonly DnsPort[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface DnsEndpoint {
  readonly address: string;
  readonly hostname: string;
  readonly podName: string;
  readonly ports: readonly DnsPort[];
}

/** Ready endpoints of one EndpointSlice. */
export interface DnsSlice {
  readonly namespace: string;
  readonly name: string;
  readonly service: string;
  readonly endpoints: readonly DnsEndpoint[];
}

export interface DnsPod {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
}

export interface ServiceEndpoint {
  readonly service: string;
  readonly namespace: string;
  readonly endpoint: DnsEndpoint;
}

export class ClusterRecords {
  /** Seconds since 1970 of the last change: the zone's serial number. */
  serial = 0;
  private readonly namespaces = new Map<string, Readonly<Record<string, string>>>();
  private readonly services = new Map<string, DnsService>();
  private readonly servicesByIp = new Map<string, Set<string>>();
  private readonly slices = new Map<string, DnsSlice>();
  private readonly slicesByService = new Map<string, Set<string>>();
  private readonly slicesByIp = new Map<string, Set<string>>();
  private readonly pods = new Map<string, DnsPod>();
  private readonly podsByIp = new Map<string, Set<string>>();

  setNamespace(name: string, labels: Readonly<Record<string, string>>): void {
    this.namespaces.set(name, labels);
  }

  removeNamespace(name: string): void {
    this.namespaces.delete(name);
  }

  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined {
    return this.namespaces.get(name);
  }

  setService(service: DnsService): void {
    const key = keyOf(service);
    this.removeService(service);
    this.services.set(key, service);
    for (const address of service.clusterIps) link(this.servicesByIp, address, key);
  }

  removeService(service: Pick<DnsService, 'namespace' | 'name'>): void {
    const key = keyOf(service);
    for (const address of this.services.get(key)?.clusterIps ?? []) unlink(this.servicesByIp, address, key);
    this.services.delete(key);
  }

  service(namespace: string, name: string): DnsService | undefined {
    return this.services.get(`${namespace}/${name}`);
  }

  allServices(): readonly DnsService[] {
    return [...this.services.values()];
  }

  setSlice(slice: DnsSlice): void {
    const key = keyOf(slice);
    this.removeSlice(slice);
    this.slices.set(key, slice);
    link(this.slicesByService, `${slice.namespace}/${slice.service}`, key);
    for (const { address } of slice.endpoints) link(this.slicesByIp, address, key);
  }

  removeSlice(slice: Pick<DnsSlice, 'namespace' | 'name'>): void {
    const key = keyOf(slice);
    const before = this.slices.get(key);
    if (before === undefined) return;
    this.slices.delete(key);
    unlink(this.slicesByService, `${before.namespace}/${before.service}`, key);
    for (const { address } of before.endpoints) unlink(this.slicesByIp, address, key);
  }

  endpoints(namespace: string, service: string): DnsEndpoint[] {
    return this.slicesOf(this.slicesByService, `${namespace}/${service}`).flatMap((slice) => slice.endpoints);
  }

  setPod(pod: DnsPod): void {
    const key = keyOf(pod);
    this.removePod(pod);
    this.pods.set(key, pod);
    for (const address of pod.addresses) link(this.podsByIp, address, key);
  }

  removePod(pod: Pick<DnsPod, 'namespace' | 'name'>): void {
    const key = keyOf(pod);
    for (const address of this.pods.get(key)?.addresses ?? []) unlink(this.podsByIp, address, key);
    this.pods.delete(key);
  }

  hasPod(namespace: string, address: string): boolean {
    return [...(this.podsByIp.get(address) ?? [])].some((key) => key.startsWith(`${namespace}/`));
  }

  /** Undefined when there is no pod, or pods of several namespaces share their node's address. */
  namespaceOfPod(address: string): string | undefined {
    const namespaces = new Set([...(this.podsByIp.get(address) ?? [])].map((key) => key.slice(0, key.indexOf('/'))));
    return namespaces.size === 1 ? [...namespaces][0] : undefined;
  }

  servicesWithIp(address: string): DnsService[] {
    return [...(this.servicesByIp.get(address) ?? [])].flatMap((key) => this.services.get(key) ?? []);
  }

  /** One entry per Service that has an endpoint at the address. */
  endpointsWithIp(address: string): ServiceEndpoint[] {
    const found = new Map<string, ServiceEndpoint>();
    for (const { namespace, service, endpoints } of this.slicesOf(this.slicesByIp, address)) {
      const endpoint = endpoints.find((candidate) => candidate.address === address);
      if (endpoint !== undefined) found.set(`${namespace}/${service}`, { namespace, service, endpoint });
    }
    return [...found.values()];
  }

  private slicesOf(index: ReadonlyMap<string, ReadonlySet<string>>, key: string): DnsSlice[] {
    return [...(index.get(key) ?? [])].flatMap((slice) => this.slices.get(slice) ?? []);
  }
}

function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

function link(index: Map<string, Set<string>>, from: string, to: string): void {
  const known = index.get(from);
  if (known === undefined) index.set(from, new Set([to]));
  else known.add(to);
}

function unlink(index: Map<string, Set<string>>, from: string, to: string): void {
  const known = index.get(from);
  known?.delete(to);
  if (known?.size === 0) index.delete(from);
}
