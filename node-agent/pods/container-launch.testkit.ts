import { LEFT_ADDRESS, type PodPair } from '../../shared/podnet/pod-pair.testkit.ts';
import type { ContainerLaunch, PodSandbox } from './container-runtime.ts';

/** The left pod of a pair, called `name`. */
export function testSandbox(pods: PodPair, name: string, namespace = 'default'): PodSandbox {
  return {
    podUid: 'u',
    podName: name,
    namespace,
    nodeName: 'worker-1',
    hostname: name,
    podIp: LEFT_ADDRESS,
    network: pods.left,
    host: pods.leftHost,
    hostsFile: '',
    resolvConf: '',
  };
}

type Wanted = 'sandbox' | 'containerName' | 'image' | 'onOutput';

/** A container that asks for nothing else than what is given. */
export function testLaunch(launch: Pick<ContainerLaunch, Wanted> & Partial<ContainerLaunch>): ContainerLaunch {
  return {
    id: 'a'.repeat(64),
    command: undefined,
    args: undefined,
    environment: {},
    workingDirectory: undefined,
    mounts: [],
    stdin: false,
    stdinOnce: false,
    tty: false,
    terminationMessagePath: '/dev/termination-log',
    ...launch,
  };
}
