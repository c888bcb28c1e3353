/** The BGP speaker of a node: what its peers announce becomes the node's routes. */
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import type { CniContext } from '../plugin.ts';
import { BgpSpeaker } from './speaker.ts';

/** The AS of calico's and of kube-router's nodes, by default. */
export const DEFAULT_AS = 64_512;

export interface RouteInstaller {
  setRoute(prefix: IpPrefix, gateway: number): void;
  removeRoute(prefix: IpPrefix): void;
}

export function nodeSpeaker({ datapath, bgpHoldSeconds }: CniContext, routes: RouteInstaller): BgpSpeaker {
  return new BgpSpeaker({
    host: datapath.root,
    address: datapath.internalIp,
    as: DEFAULT_AS,
    holdTimeSeconds: bgpHoldSeconds,
    onChange: ({ prefix, best }) => {
      if (best === undefined) routes.removeRoute(prefix);
      else routes.setRoute(prefix, best.attributes.nextHop);
    },
  });
}
