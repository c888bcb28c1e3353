/** The subject by which a node says what it and its containers use: for `kubectl top`. */
import { array, number, object, string } from './message-fields.ts';
import { requestSubject } from './subjects.ts';

export interface Usage {
  /** Billionths of a core, over the window. */
  readonly cpuNanoCores: number;
  readonly memoryBytes: number;
}

export interface ContainerUsage extends Usage {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

export interface NodeUsage {
  /** The end of the window, and its length. */
  readonly atMs: number;
  readonly windowMs: number;
  readonly node: Usage;
  readonly containers: readonly ContainerUsage[];
}

export const NODE_USAGE = requestSubject<Record<string, never>, NodeUsage>(
  'node.{node}.usage',
  () => ({}),
  (value) => {
    const message = object(value, 'a usage reply');
    return {
      atMs: number(message, 'atMs'),
      windowMs: number(message, 'windowMs'),
      node: decodeUsage(message.node),
      containers: array(message.containers).map(decodeContainer),
    };
  },
);

function decodeUsage(value: unknown): Usage {
  const message = object(value, 'usage');
  return { cpuNanoCores: number(message, 'cpuNanoCores'), memoryBytes: number(message, 'memoryBytes') };
}

function decodeContainer(value: unknown): ContainerUsage {
  const message = object(value, 'the usage of a container');
  return {
    ...decodeUsage(value),
    namespace: string(message, 'namespace'),
    pod: string(message, 'pod'),
    container: string(message, 'container'),
  };
}
