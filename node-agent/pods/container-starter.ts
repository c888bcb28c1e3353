/** From a container's specification to a running instance: environment, command line, mounts, log. */
import type { Container, EphemeralContainer, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { ContainerLog } from './container-log.ts';
import type { ContainerInstance, ContainerLaunch, ContainerRuntime, PodSandbox } from './container-runtime.ts';
import type { NodeFacts } from './downward-api.ts';
import { containerEnvironment } from './environment.ts';
import type { KubeletContext } from './kubelet-context.ts';
import type { PodVolumes } from './pod-volumes.ts';
import { DEFAULT_TERMINATION_MESSAGE_PATH } from './termination-message.ts';
import { expandVariables } from './variable-expansion.ts';

export interface StartedContainer {
  readonly id: string;
  readonly instance: ContainerInstance;
  readonly log: ContainerLog;
}

export interface ContainerStart {
  readonly pod: Pod;
  readonly container: Container & Pick<EphemeralContainer, 'targetContainerName'>;
  readonly sandbox: PodSandbox;
  readonly volumes: PodVolumes;
  readonly runtime: ContainerRuntime;
  /** 0 for the first start. */
  readonly instance: number;
}

export function nodeFacts(
  context: KubeletContext,
  sandbox: Pick<PodSandbox, 'podIp' | 'podIpv6'> | undefined,
): NodeFacts {
  const { hostIp, hostIpv6, nodeName, allocatable } = context;
  return { podIp: sandbox?.podIp ?? '', podIpv6: sandbox?.podIpv6, hostIp, hostIpv6, nodeName, allocatable };
}

/** What the container is started with. Throws ContainerConfigError, VolumeError, DownwardApiError. */
export function prepareLaunch(start: ContainerStart, context: KubeletContext): Omit<ContainerLaunch, 'onOutput'> {
  const { pod, container, sandbox } = start;
  const { targetContainerName } = container;
  const environment = containerEnvironment(pod, container, context.objects, nodeFacts(context, sandbox));
  const expand = (text: string): string => expandVariables(text, (name) => environment[name]);
  return {
    id: context.newContainerId(),
    sandbox,
    containerName: container.name,
    image: container.image ?? '',
    ...(targetContainerName === undefined ? {} : { processesOf: targetContainerName }),
    ...(pod.spec?.shareProcessNamespace === true ? { sharesProcesses: true } : {}),
    command: container.command?.map(expand),
    args: container.args?.map(expand),
    environment,
    workingDirectory: container.workingDir || undefined,
    mounts: start.volumes.mounts(container, environment),
    administersNetwork: administersNetwork(container),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    terminationMessagePath: container.terminationMessagePath ?? DEFAULT_TERMINATION_MESSAGE_PATH,
  };
}

/** Container runtimes give no container CAP_NET_ADMIN that does not ask for it. */
function administersNetwork({ securityContext }: Container | EphemeralContainer): boolean {
  if (securityContext?.privileged === true) return true;
  const added = securityContext?.capabilities?.add ?? [];
  return added.some((name) => /^(CAP_)?(NET_ADMIN|ALL)$/.test(name));
}

/** Rejects with CommandStartError when the command does not exist. */
export async function launchContainer(
  launch: Omit<ContainerLaunch, 'onOutput'>,
  start: ContainerStart,
  context: KubeletContext,
): Promise<StartedContainer> {
  const log = context.logs.begin(start.pod, start.container.name, start.instance);
  try {
    const onOutput: ContainerLaunch['onOutput'] = (stream, data) => log.append(stream, data);
    const instance = await start.runtime.start({ ...launch, onOutput });
    void instance.ended.then(() => log.close());
    return { id: launch.id, instance, log };
  } catch (error) {
    log.close();
    throw error;
  }
}
