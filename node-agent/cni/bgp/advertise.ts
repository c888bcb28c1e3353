/**
 * Who is told of which route, and how (RFC 4271 section 9.2, RFC 4456). Pure.
 *
 *   own routes, those of another AS -> everybody
 *   of a peer of the same AS        -> other ASes; and where this speaker is a route reflector:
 *                                      of a client to all, of a non-client to the clients
 */
import type { PathAttributes } from './message.ts';
import type { BgpRoute } from './routes.ts';

export interface Advertiser {
  readonly as: number;
  /** Of the node; its identifier too. */
  readonly address: number;
  /** Of a route reflector. */
  readonly clusterId: number | undefined;
}

export interface Neighbour {
  readonly as: number;
  /** Of this route reflector. */
  readonly isClient: boolean;
}

const LOCAL_PREFERENCE = 100;

export function ownAttributes({ as, address }: Advertiser, to: Neighbour): PathAttributes {
  const isInternal = to.as === as;
  return {
    origin: 0,
    asPath: isInternal ? [] : [as],
    nextHop: address,
    localPreference: isInternal ? LOCAL_PREFERENCE : undefined,
  };
}

/** How a route that `from` told is told on; undefined: it is not. */
export function learnedAttributes(
  own: Advertiser,
  route: BgpRoute,
  from: Neighbour,
  to: Neighbour,
): PathAttributes | undefined {
  const { attributes, peerIdentifier } = route;
  const { originatorId, clusterList = [], ...plain } = attributes;
  if (to.as !== own.as) {
    return { ...plain, asPath: [own.as, ...attributes.asPath], nextHop: own.address, localPreference: undefined };
  }
  if (from.as !== own.as) return { ...plain, localPreference: attributes.localPreference ?? LOCAL_PREFERENCE };
  if (own.clusterId === undefined || !(from.isClient || to.isClient)) return undefined;
  return {
    ...attributes,
    originatorId: originatorId ?? peerIdentifier,
    clusterList: [own.clusterId, ...clusterList],
  };
}

/** What went round in a circle is not taken. */
export function isLoop({ as, address, clusterId }: Advertiser, attributes: PathAttributes): boolean {
  const { asPath, originatorId, clusterList = [] } = attributes;
  return (
    asPath.includes(as) || originatorId === address || (clusterId !== undefined && clusterList.includes(clusterId))
  );
}
