/** A request after its transport is taken off, and its answer before it is put on: the same for HTTPS and the bus. */
import type { KubeObject } from '../../../shared/api/object.ts';
import type { ResourceDefinition, SubresourceDefinition } from '../../../shared/api/registry.ts';
import type { Status } from '../../../shared/api/status.ts';
import type { User } from '../authentication/user.ts';
import type { Verb } from '../http/request-info.ts';

export interface ApiCall {
  readonly verb: Verb;
  readonly definition: ResourceDefinition;
  readonly subresource: SubresourceDefinition | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly query: URLSearchParams;
  readonly body: RequestBody | undefined;
  readonly user: User;
  /** Components of the cluster ask over the bus, everybody else over HTTPS. */
  readonly origin: 'client' | 'component';
  /** The program that asks, as a field manager: `kubectl`. */
  readonly agent: string;
  /** Told to the client in `Warning` headers, or to the log. */
  readonly warn: (message: string) => void;
}

export interface RequestBody {
  /** The media type without parameters: `application/json`. */
  readonly mediaType: string;
  /** What JSON, YAML or protobuf said. */
  readonly value: unknown;
  /** Paths of fields that stood twice in one object. */
  readonly duplicateFields: readonly string[];
}

export interface ObjectList {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  readonly continueToken?: string;
  readonly remainingItemCount?: number;
}

export type ApiAnswer =
  | { readonly kind: 'object'; readonly code: number; readonly object: KubeObject }
  | { readonly kind: 'list'; readonly code: number; readonly list: ObjectList }
  | { readonly kind: 'status'; readonly code: number; readonly status: Status };
