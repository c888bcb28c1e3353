/**
 * What runs between the node-agent and a container's program, as shell text: the folders that the program sees, and the last
 * steps before it. The container's root is an overlay over the machine's: the program finds the machine's programs and
 * libraries, and what it writes is its own and goes with it.
 *
 * Descriptor 3 hears of the outcome: STARTED, MISSING, or what a failed step said.
 */

export const STARTED = 'started';
export const MISSING = 'missing';

/** A folder or file of the machine, at a path in the container. */
export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface ProgramStart {
  readonly workingDirectory: string;
  /** PATH of the program. */
  readonly searchPath: string;
  readonly terminal: boolean;
  readonly command: readonly string[];
}

export interface RootFolder {
  /** An empty folder to build in; what is mounted on it is seen by the container alone. */
  readonly base: string;
  readonly hostname: string;
  readonly binds: readonly Bind[];
}

const QUIET = `set -eu
exec 4>&2 2>&3
`;

/** A new root out of the machine's, with devices, /proc, /tmp and /run of the container's own. Arguments: base, hostname, binds, --. */
const MAKE_ROOT = `base=$1 name=$2; shift 2
mount -t tmpfs podwire "$base"
cd "$base"
mkdir upper work root
mount -t overlay podwire -o lowerdir=/,upperdir=upper,workdir=work root
cd root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=1777 podwire tmp
mount -t tmpfs -o mode=755 podwire run
mount -t tmpfs -o mode=755 podwire dev
for device in null zero full random urandom tty; do
  : >"dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount --bind /dev/pts dev/pts
mount -t tmpfs -o mode=1777 podwire dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
while [ "$1" != -- ]; do
  source=$1 target=./$2 mode=$3; shift 3
  if [ -d "$source" ]; then mkdir -p "$target"
  else mkdir -p "$(dirname "$target")"; rm -f "$target"; : >"$target"; fi
  mount --bind "$source" "$target"
  [ "$mode" = rw ] || mount -o remount,bind,ro "$target"
done
shift
hostname "$name"
mkdir .old
pivot_root . .old
cd /
umount -l /.old
rmdir /.old
`;

/** Arguments: working directory, search path, terminal or not, the command. */
const RUN = `mkdir -p "$1"; cd "$1"
PATH=$2 terminal=$3; shift 3
command -v "$1" >/dev/null 2>&1 || { printf ${MISSING} >&3; exit 127; }
printf ${STARTED} >&3
exec 2>&4 3>&- 4>&-
if [ "$terminal" = yes ]; then exec setsid --ctty "$@"; fi
exec "$@"
`;

/** Arguments of `/bin/sh` in the container's new namespaces. */
export function containerArguments(root: RootFolder, start: ProgramStart): string[] {
  const binds = root.binds.flatMap(({ source, target, readOnly }) => [source, target, readOnly ? 'ro' : 'rw']);
  return ['-c', QUIET + MAKE_ROOT + RUN, 'podwire', root.base, root.hostname, ...binds, '--', ...runArguments(start)];
}

/** The same for one more program in a container that runs. */
export function execArguments(start: ProgramStart): string[] {
  return ['-c', QUIET + RUN, 'podwire', ...runArguments(start)];
}

function runArguments({ workingDirectory, searchPath, terminal, command }: ProgramStart): string[] {
  return [workingDirectory, searchPath, terminal ? 'yes' : 'no', ...command];
}
