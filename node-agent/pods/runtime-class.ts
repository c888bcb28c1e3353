/**
 * RuntimeClasses: how a pod's sandbox and containers differ from the default.
 * https://kubernetes.io/docs/concepts/containers/runtime-class/
 */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { RuntimeClass } from 'kubernetes-types/node/v1.d.ts';
import { RUNTIMECLASSES } from '../../shared/api/resources.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { PodSandbox } from './container-runtime.ts';
import type { CreatedSandbox } from './sandbox.ts';

/** What a RuntimeClass names as its handler. */
export interface RuntimeHandler {
  /** Makes of the default sandbox the handler's own; `destroy` undoes no more than that. Rejects with what the user must know. */
  complete(pod: Pod, sandbox: PodSandbox): Promise<CreatedSandbox>;
}

export class RuntimeClasses {
  private readonly api: Pick<ApiClient, 'get'>;
  private readonly handlers: Readonly<Record<string, RuntimeHandler>>;

  constructor(api: Pick<ApiClient, 'get'>, handlers: Readonly<Record<string, RuntimeHandler>>) {
    this.api = api;
    this.handlers = handlers;
  }

  /** Undefined for the default. Rejects when there is no such class, or none of its handler here. */
  async handlerOf(pod: Pod): Promise<RuntimeHandler | undefined> {
    const name = pod.spec?.runtimeClassName;
    if (name === undefined || name === '') return undefined;
    const { handler } = await this.api.get<RuntimeClass>(RUNTIMECLASSES, name);
    const found = this.handlers[handler];
    if (found === undefined) {
      throw new Error(`failed to get sandbox runtime: no runtime for ${JSON.stringify(handler)} is configured`);
    }
    return found;
  }
}
