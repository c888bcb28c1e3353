/** Whether policies let a pod's packets through to a place, and what they say; both sides of the connection. */
import { type ClusterState, PolicyCompiler } from '../../shared/policy/compile.ts';
import { decide, type EndpointPolicy } from '../../shared/policy/endpoint-policy.ts';
import type { PolicyPod } from '../../shared/policy/policy-pod.ts';
import type { PolicyDecision } from '../../shared/policy/port-verdicts.ts';

export interface PolicyQuestion {
  readonly client: PolicyPod;
  readonly clientAddress: number;
  /** Undefined for what is no pod with an address of its own. */
  readonly server: PolicyPod | undefined;
  readonly serverAddress: number;
  readonly protocol: number;
  readonly port: number;
}

export interface PolicyAnswer {
  /** null: no policy speaks of what the client sends. */
  readonly egress: PolicyDecision | null;
  /** null: no policy speaks of what comes to the server. */
  readonly ingress: PolicyDecision | null;
}

export class Reachability {
  private readonly compiler: PolicyCompiler;
  private readonly endpoints = new Map<PolicyPod, EndpointPolicy | undefined>();

  constructor(state: ClusterState) {
    this.compiler = new PolicyCompiler(state);
  }

  ask({ client, clientAddress, server, serverAddress, protocol, port }: PolicyQuestion): PolicyAnswer {
    // A pod's traffic to itself, and a node's to its pods, is never refused; pods of the host's network are the node.
    if (clientAddress === serverAddress) return { egress: null, ingress: null };
    const isNode = client.addresses.length === 0;
    const ownNode = isNode && client.nodeName === server?.nodeName;
    const egress = isNode ? null : (this.endpoint(client)?.egress ?? null);
    const ingress = server === undefined || ownNode ? null : (this.endpoint(server)?.ingress ?? null);
    return {
      egress: egress === null ? null : decide(egress, serverAddress, protocol, port),
      ingress: ingress === null ? null : decide(ingress, clientAddress, protocol, port),
    };
  }

  endpoint(pod: PolicyPod): EndpointPolicy | undefined {
    if (pod.addresses.length === 0) return undefined;
    if (!this.endpoints.has(pod)) this.endpoints.set(pod, this.compiler.endpoint(pod));
    return this.endpoints.get(pod);
  }
}
