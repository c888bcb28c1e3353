/** The volumes of one pod: their content, brought up to date when the objects behind them change. */
import type { Container, Pod, Volume as VolumeSpec } from 'kubernetes-types/core/v1.d.ts';
import { emptyVolume, machineVolume, projectedVolume, replaceProjection, type Volume } from '../images/files/volume.ts';
import type { Mount } from './container-runtime.ts';
import { expandVariables } from './variable-expansion.ts';
import { VolumeError, type VolumeFiles, type VolumeSources, volumeFiles } from './volume-content.ts';

interface PodVolume {
  /** Its identity lasts as long as its pod: all containers of the pod see one and the same. */
  readonly volume: Volume;
  /** Of a volume made from objects. */
  files: VolumeFiles | undefined;
}

export class PodVolumes {
  private readonly volumes = new Map<string, PodVolume>();

  /** Makes or refreshes all volumes. Throws VolumeError for objects that do not exist. */
  async prepare(pod: Pod, sources: VolumeSources): Promise<void> {
    for (const spec of pod.spec?.volumes ?? []) {
      const files = await volumeFiles(spec, pod, sources);
      const existing = this.volumes.get(spec.name);
      if (existing === undefined) {
        const volume = files === undefined ? volumeWithoutFiles(spec, sources) : projectedVolume(projection(files));
        this.volumes.set(spec.name, { volume, files });
      } else if (files !== undefined && existing.files !== undefined && !sameFiles(existing.files, files)) {
        replaceProjection(existing.volume, projection(files));
        existing.files = files;
      }
    }
  }

  /** The mounts of a container, outer ones first. Throws VolumeError for a volume that the pod does not have. */
  mounts(container: Container, environment: Readonly<Record<string, string>>): Mount[] {
    const mounts = (container.volumeMounts ?? []).map((mount) => {
      const named = this.volumes.get(mount.name);
      if (named === undefined) throw new VolumeError(`volume "${mount.name}" of container ${container.name} not found`);
      const subPath =
        mount.subPathExpr === undefined
          ? (mount.subPath ?? '')
          : expandVariables(mount.subPathExpr, (name) => environment[name]);
      return {
        path: mount.mountPath,
        volume: named.volume,
        subPath,
        readOnly: (mount.readOnly ?? false) || named.files !== undefined,
      };
    });
    return mounts.sort((a, b) => a.path.length - b.path.length);
  }
}

/** Kinds that are not made from objects begin empty: the emulated node has few folders beside those that were allowed. */
function volumeWithoutFiles({ hostPath }: VolumeSpec, sources: VolumeSources): Volume {
  const ofNode = hostPath === undefined ? undefined : sources.nodeFolder?.(hostPath.path);
  if (ofNode !== undefined) return ofNode;
  const folder = hostPath === undefined ? undefined : sources.machineFolder?.(hostPath.path);
  return folder === undefined ? emptyVolume() : machineVolume(folder);
}

function projection(files: VolumeFiles): Record<string, { bytes: Uint8Array; mode: number }> {
  return Object.fromEntries([...files].map(([path, file]) => [path, { bytes: file.content, mode: file.mode }]));
}

function sameFiles(a: VolumeFiles, b: VolumeFiles): boolean {
  if (a.size !== b.size) return false;
  for (const [path, file] of a) {
    const other = b.get(path);
    if (other === undefined || other.mode !== file.mode) return false;
    if (Buffer.compare(other.content, file.content) !== 0) return false;
  }
  return true;
}
