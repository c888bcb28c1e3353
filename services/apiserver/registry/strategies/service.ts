/** Services: cluster IPs and node ports are taken when they are needed and given back when they are not. */
import type { Service, ServicePort, ServiceSpec } from 'kubernetes-types/core/v1.js';
import { isSame } from '../../../../shared/api/json-equality.ts';
import type { KubeObject } from '../../../../shared/api/object.ts';
import { SERVICES } from '../../../../shared/api/resources.ts';
import { type FieldError, internalError, invalid } from '../../../../shared/api/status.ts';
import {
  clusterIpChangeErrors,
  clusterIpErrors,
  HEADLESS,
  serviceFamilies,
} from '../../../../shared/api/validation/service-families.ts';
import type { Allocator } from '../../allocation/allocator.ts';
import type { Claimant } from '../../allocation/claim.ts';
import { type ClusterIpRange, NODE_PORTS, type ServiceRanges } from '../../allocation/service-ranges.ts';
import type { Strategy, Undo, WriteContext } from '../strategy.ts';
import { settleFamilies } from './ip-families.ts';
import { serviceWarnings } from './service-warnings.ts';

export function serviceStrategy(ranges: ServiceRanges): Strategy {
  return {
    create(object) {
      const { spec } = asService(object);
      object.status = { loadBalancer: {} };
      if (spec.clusterIPs === undefined && spec.clusterIP) spec.clusterIPs = [spec.clusterIP];
      if (spec.clusterIP === undefined && spec.clusterIPs?.[0]) spec.clusterIP = spec.clusterIPs[0];
      return undefined;
    },

    async allocate(object, context) {
      serviceWarnings(object).forEach(context.warn);
      const allocation = new ServiceAllocation(ranges, object, context);
      await allocation.complete(undefined);
      return allocation.undo;
    },

    async update(object, old, context) {
      serviceWarnings(object).forEach(context.warn);
      const { spec } = asService(object);
      const { spec: before } = asService(old);
      keepAllocated(spec, before);
      // What validation is going to refuse needs nothing.
      const refused = [...clusterIpErrors(spec, 'spec'), ...clusterIpChangeErrors(spec, before)];
      if (refused.length > 0) return undefined;
      const allocation = new ServiceAllocation(ranges, object, context);
      await allocation.complete(old);
      return allocation.undo;
    },

    async updated(object, old) {
      const kept = heldBy(object, ranges);
      for (const { allocator, value } of heldBy(old, ranges)) {
        const stays = kept.some((held) => held.allocator === allocator && held.value === value);
        if (!stays) await allocator.release(value, claimantOf(old));
      }
    },

    async deleted(object) {
      for (const { allocator, value } of heldBy(object, ranges)) await allocator.release(value, claimantOf(object));
    },

    returnsDeleted: true,
  };
}

interface TypedService {
  readonly object: KubeObject;
  readonly spec: ServiceSpec;
}

function asService(object: KubeObject): TypedService {
  // The decoder has checked the object against the Service type.
  const service = object as unknown as Service;
  service.spec ??= {};
  return { object, spec: service.spec };
}

export function claimantOf({ metadata }: KubeObject): Claimant {
  return { namespace: metadata.namespace ?? '', name: metadata.name ?? '' };
}

interface Held {
  readonly allocator: Allocator;
  readonly value: number;
}

/** What a Service has of the ranges. */
export function heldBy(object: KubeObject, { clusterIps, nodePorts }: ServiceRanges): Held[] {
  const { spec } = asService(object);
  const held: Held[] = [];
  for (const clusterIp of needsClusterIp(spec) ? (spec.clusterIPs ?? []) : []) {
    for (const { allocator, numberOf } of clusterIps) {
      const value = numberOf(clusterIp);
      if (value !== undefined) held.push({ allocator, value });
    }
  }
  for (const value of nodePortsOf(spec)) held.push({ allocator: nodePorts, value });
  return held;
}

function nodePortsOf(spec: ServiceSpec): Set<number> {
  const ports = (spec.ports ?? []).map((port) => port.nodePort ?? 0);
  return new Set([...ports, spec.healthCheckNodePort ?? 0].filter((port) => port !== 0));
}

function needsClusterIp(spec: ServiceSpec): boolean {
  return spec.type !== 'ExternalName';
}

function needsNodePorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
}

function needsHealthCheckPort(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
}

/** An update that leaves allocated fields out means to keep them. */
function keepAllocated(spec: ServiceSpec, old: ServiceSpec): void {
  if (needsClusterIp(spec) && needsClusterIp(old)) {
    keepClusterIp(spec, old);
  }
  if (needsNodePorts(spec)) keepNodePorts(spec.ports ?? [], old.ports ?? []);
  if (needsHealthCheckPort(spec)) spec.healthCheckNodePort ??= old.healthCheckNodePort;
  dropForeignFields(spec, old);
}

/** What the new type does not have goes, unless the client has just set it: that is its error. */
function dropForeignFields(spec: ServiceSpec, old: ServiceSpec): void {
  const dropUnlessNew = (...fields: readonly (keyof ServiceSpec)[]) => {
    for (const field of fields) if (isSame(spec[field], old[field])) delete spec[field];
  };
  if (!needsClusterIp(spec)) {
    dropUnlessNew('clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy');
  }
  if (spec.type === 'ClusterIP' || spec.type === 'ExternalName') {
    dropUnlessNew('externalTrafficPolicy');
    dropNodePorts(spec.ports ?? [], old.ports ?? []);
  }
  if (spec.type !== 'LoadBalancer') dropUnlessNew('allocateLoadBalancerNodePorts', 'loadBalancerClass');
  if (!needsHealthCheckPort(spec)) dropUnlessNew('healthCheckNodePort');
}

function dropNodePorts(ports: readonly ServicePort[], old: readonly ServicePort[]): void {
  const before = new Set(old.map((port) => port.nodePort));
  for (const port of ports) if (before.has(port.nodePort)) delete port.nodePort;
}

/** `clusterIP` and the first of `clusterIPs` say the same: a client that changes one of them means both. */
function keepClusterIp(spec: ServiceSpec, old: ServiceSpec): void {
  const [first] = spec.clusterIPs ?? [];
  if (!spec.clusterIP && first === undefined) {
    spec.clusterIP = old.clusterIP;
    spec.clusterIPs = old.clusterIPs;
  } else if (first === undefined && spec.clusterIP === old.clusterIP) {
    spec.clusterIPs = old.clusterIPs;
  } else if (spec.clusterIP && (first === undefined || first === old.clusterIP)) {
    spec.clusterIPs = [spec.clusterIP, ...(spec.clusterIPs ?? []).slice(1)];
  } else if (first !== undefined && (!spec.clusterIP || spec.clusterIP === old.clusterIP)) {
    spec.clusterIP = first;
  }
}

/** By protocol and port; a node port that another port now asks for is not kept. */
function keepNodePorts(ports: readonly ServicePort[], old: readonly ServicePort[]): void {
  const asked = new Set(ports.map((port) => port.nodePort).filter(Boolean));
  for (const port of ports) {
    if (port.nodePort) continue;
    const before = old.find((candidate) => candidate.port === port.port && candidate.protocol === port.protocol);
    if (before?.nodePort && !asked.has(before.nodePort)) port.nodePort = before.nodePort;
  }
}

/** Takes what one Service needs and has not, and can give it back. */
class ServiceAllocation {
  private readonly ranges: ServiceRanges;
  private readonly object: KubeObject;
  private readonly spec: ServiceSpec;
  private readonly context: WriteContext;
  private readonly claimant: Claimant;
  private readonly taken: { readonly allocator: Allocator; readonly value: number }[] = [];

  constructor(ranges: ServiceRanges, object: KubeObject, context: WriteContext) {
    this.ranges = ranges;
    this.object = object;
    this.spec = asService(object).spec;
    this.context = context;
    this.claimant = claimantOf(object);
  }

  readonly undo: Undo = async () => {
    for (const { allocator, value } of this.taken) await allocator.release(value, this.claimant);
  };

  async complete(old: KubeObject | undefined): Promise<void> {
    const held = old === undefined ? [] : heldBy(old, this.ranges);
    const owned = (of: Allocator) =>
      new Set(held.filter(({ allocator }) => allocator === of).map(({ value }) => value));
    try {
      if (needsClusterIp(this.spec)) {
        this.settleFamilies(old);
        await this.takeClusterIps(owned);
      }
      await this.takeNodePorts(owned(this.ranges.nodePorts));
    } catch (error) {
      await this.undo();
      throw error;
    }
  }

  private settleFamilies(old: KubeObject | undefined): void {
    const { spec } = this;
    spec.clusterIPs ??= spec.clusterIP ? [spec.clusterIP] : [];
    const configured = this.ranges.clusterIps.map(({ family }) => family);
    const errors = settleFamilies(spec, old === undefined ? undefined : asService(old).spec, configured);
    if (errors.length > 0) throw this.invalid(errors);
  }

  /** One for each family that the Service has; those it was given and those it had stay. */
  private async takeClusterIps(owned: (of: Allocator) => ReadonlySet<number>): Promise<void> {
    const { spec } = this;
    const given = spec.clusterIPs ?? [];
    if (given[0] === HEADLESS) return;
    const addresses: string[] = [];
    for (const [i, family] of serviceFamilies(spec).entries()) {
      const range = this.ranges.clusterIps.find((candidate) => candidate.family === family);
      const address = given[i];
      if (address) {
        if (range !== undefined) await this.takeGivenClusterIp(range, address, owned(range.allocator));
        addresses.push(address);
      } else if (range !== undefined) addresses.push(await this.takeFreeClusterIp(range));
    }
    spec.clusterIPs = addresses;
    spec.clusterIP = addresses[0];
  }

  private async takeFreeClusterIp({ allocator }: ClusterIpRange): Promise<string> {
    const value = await allocator.takeAny(this.claimant, this.context.nowMs, this.context.dryRun);
    if (value === undefined) throw internalError('failed to allocate a serviceIP: range is full');
    this.remember(allocator, value);
    return allocator.nameOf(value);
  }

  private async takeGivenClusterIp(range: ClusterIpRange, text: string, owned: ReadonlySet<number>): Promise<void> {
    const { allocator, cidr } = range;
    const value = range.numberOf(text);
    const fail = (detail: string) => {
      const list = (this.spec.clusterIPs ?? []).map((address) => JSON.stringify(address)).join(', ');
      return this.refused('spec.clusterIPs', `[]string{${list}}`, `failed to allocate IP ${text}: ${detail}`);
    };
    if (value === undefined) {
      throw fail(`the provided IP (${text}) is not in the valid range. The range of valid IPs is ${cidr}`);
    }
    if (owned.has(value)) return;
    if (!(await allocator.take(value, this.claimant, this.context.nowMs, this.context.dryRun))) {
      throw fail('provided IP is already allocated');
    }
    this.remember(allocator, value);
  }

  private async takeNodePorts(owned: ReadonlySet<number>): Promise<void> {
    const { spec } = this;
    const mine = new Set(owned);
    for (const [index, port] of (spec.ports ?? []).entries()) {
      if (port.nodePort) await this.takeGivenPort(port.nodePort, `spec.ports[${index}].nodePort`, mine);
    }
    if (needsNodePorts(spec)) await this.takeFreePorts(spec.ports ?? []);
    if (!needsHealthCheckPort(spec)) return;
    if (spec.healthCheckNodePort) await this.takeGivenPort(spec.healthCheckNodePort, 'spec.healthCheckNodePort', mine);
    else spec.healthCheckNodePort = await this.takeFreePort();
  }

  private async takeFreePorts(ports: readonly ServicePort[]): Promise<void> {
    for (const port of ports) {
      if (port.nodePort) continue;
      // The same port over TCP and UDP gets the same node port, as the original tries to.
      const twin = ports.find(
        (other) => other !== port && other.port === port.port && other.protocol !== port.protocol,
      );
      port.nodePort = twin?.nodePort ?? (await this.takeFreePort());
    }
  }

  private async takeFreePort(): Promise<number> {
    const { nodePorts } = this.ranges;
    const value = await nodePorts.takeAny(this.claimant, this.context.nowMs, this.context.dryRun);
    if (value === undefined) throw internalError('failed to allocate a nodePort: range is full');
    this.remember(nodePorts, value);
    return value;
  }

  private async takeGivenPort(value: number, field: string, mine: Set<number>): Promise<void> {
    if (mine.has(value)) return;
    const { nodePorts } = this.ranges;
    if (!nodePorts.contains(value)) {
      const range = `${NODE_PORTS.first}-${NODE_PORTS.last}`;
      throw this.refused(
        field,
        String(value),
        `provided port is not in the valid range. The range of valid ports is ${range}`,
      );
    }
    if (!(await nodePorts.take(value, this.claimant, this.context.nowMs, this.context.dryRun))) {
      throw this.refused(field, String(value), 'provided port is already allocated');
    }
    mine.add(value);
    this.remember(nodePorts, value);
  }

  private remember(allocator: Allocator, value: number): void {
    if (!this.context.dryRun) this.taken.push({ allocator, value });
  }

  private refused(field: string, value: string, detail: string): Error {
    return this.invalid([{ field, reason: 'FieldValueInvalid', message: `Invalid value: ${value}: ${detail}` }]);
  }

  private invalid(errors: readonly FieldError[]): Error {
    return invalid({ group: SERVICES.group, kind: SERVICES.kind }, this.object.metadata.name ?? '', errors);
  }
}
