/** What a Node program's process is told when it starts: the two sides of it share no more than this. */
export interface MappedFolder {
  /** Path in the container. */
  readonly path: string;
  /** Folder of the machine. */
  readonly real: string;
}

export interface PodInterface {
  readonly device: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly mac: string;
}

export interface ProgramPlan {
  /** Unix socket of the pod's network. */
  readonly socketPath: string;
  readonly hostname: string;
  readonly interfaces: readonly PodInterface[];
  /** The container's files; the first one is its root. */
  readonly folders: readonly MappedFolder[];
  /** The file that starts all this in a process, for those that the program starts in turn. */
  readonly preloadPath: string;
  /** True where the process has a network namespace without interfaces: native code finds no network there. */
  readonly isolated: boolean;
}

/** NODE_OPTIONS of a process in the pod: `theirs` are what its program was given. SIGUSR1 would open the inspector, on the machine. */
export function nodeOptions(preloadPath: string, theirs: string | undefined): string {
  const ours = `--disable-sigusr1 --require ${JSON.stringify(preloadPath)}`;
  return theirs === undefined || theirs === '' ? ours : `${ours} ${theirs}`;
}
