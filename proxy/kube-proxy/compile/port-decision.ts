/** What is decided about a Service port at a node, before a mode puts it into its tables. */
import { isInNetwork } from '../../../shared/wire/ip-address.ts';
import type { Endpoint } from './endpoint.ts';
import { type EndpointChoice, endpointsFor } from './endpoints-for.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { ServicePort } from './service-port.ts';

export interface PortDecision {
  readonly choice: EndpointChoice;
  /** Traffic of pods and nodes to the ClusterIP has somewhere to go. */
  readonly hasInternal: boolean;
  /** Traffic from outside has. */
  readonly hasExternal: boolean;
  /** loadBalancerSourceRanges are to be kept. */
  readonly usesFirewall: boolean;
}

export function decidePort(port: ServicePort, endpoints: readonly Endpoint[], context: ProxyContext): PortDecision {
  const choice = endpointsFor(port, endpoints, context.node);
  const hasLocal = choice.local.length > 0;
  return {
    choice,
    hasInternal: port.internalPolicyLocal ? hasLocal : choice.any,
    hasExternal: port.externalPolicyLocal ? hasLocal : choice.any,
    usesFirewall: port.loadBalancerIps.length > 0 && port.loadBalancerSourceRanges.length > 0,
  };
}

/** Whether the node itself may ask a load balancer's address: then that address may be its source, too. */
export function nodeIsAllowed(port: ServicePort, context: ProxyContext): boolean {
  return port.loadBalancerSourceRanges.some(({ address, prefixLength }) =>
    isInNetwork(context.node.address, address, prefixLength),
  );
}
