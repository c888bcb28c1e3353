/** Tables of volumes and what provides them. */
import type { PersistentVolume, PersistentVolumeClaim } from 'kubernetes-types/core/v1.js';
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  StorageClass,
  VolumeAttachment,
} from 'kubernetes-types/storage/v1.js';
import { accessModesText, ageText, NONE, UNSET } from './cell-text.ts';
import { AGE_COLUMN, boolean, integer, NAME_COLUMN, type Printer, text, wide } from './printer.ts';

export const PERSISTENT_VOLUME_PRINTER: Printer<PersistentVolume> = {
  columns: [
    NAME_COLUMN,
    text('Capacity'),
    text('Access Modes'),
    text('Reclaim Policy'),
    text('Status'),
    text('Claim'),
    text('StorageClass'),
    text('VolumeAttributesClass'),
    text('Reason'),
    AGE_COLUMN,
    wide('VolumeMode'),
  ],
  cells: ({ metadata, spec, status }, nowMs) => {
    const claim = spec?.claimRef;
    const phase = metadata?.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating';
    return [
      metadata?.name ?? '',
      spec?.capacity?.storage ?? '',
      accessModesText(spec?.accessModes),
      spec?.persistentVolumeReclaimPolicy ?? '',
      phase,
      claim === undefined ? '' : `${claim.namespace}/${claim.name}`,
      spec?.storageClassName ?? '',
      spec?.volumeAttributesClassName ?? UNSET,
      status?.reason ?? '',
      ageText(metadata?.creationTimestamp, nowMs),
      spec?.volumeMode ?? UNSET,
    ];
  },
};

export const PERSISTENT_VOLUME_CLAIM_PRINTER: Printer<PersistentVolumeClaim> = {
  columns: [
    NAME_COLUMN,
    text('Status'),
    text('Volume'),
    text('Capacity'),
    text('Access Modes'),
    text('StorageClass'),
    text('VolumeAttributesClass'),
    AGE_COLUMN,
    wide('VolumeMode'),
  ],
  cells: ({ metadata, spec, status }, nowMs) => {
    const bound = spec?.volumeName !== undefined;
    const phase = metadata?.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating';
    return [
      metadata?.name ?? '',
      phase,
      spec?.volumeName ?? '',
      bound ? (status?.capacity?.storage ?? '') : '',
      bound ? accessModesText(status?.accessModes) : '',
      spec?.storageClassName ?? '',
      spec?.volumeAttributesClassName ?? UNSET,
      ageText(metadata?.creationTimestamp, nowMs),
      spec?.volumeMode ?? UNSET,
    ];
  },
};

const DEFAULT_CLASS_ANNOTATION = 'storageclass.kubernetes.io/is-default-class';

export const STORAGE_CLASS_PRINTER: Printer<StorageClass> = {
  columns: [
    NAME_COLUMN,
    text('Provisioner'),
    text('ReclaimPolicy'),
    text('VolumeBindingMode'),
    boolean('AllowVolumeExpansion'),
    AGE_COLUMN,
  ],
  cells: ({ metadata, provisioner, reclaimPolicy, volumeBindingMode, allowVolumeExpansion }, nowMs) => {
    const isDefault = metadata?.annotations?.[DEFAULT_CLASS_ANNOTATION] === 'true';
    return [
      `${metadata?.name ?? ''}${isDefault ? ' (default)' : ''}`,
      provisioner,
      reclaimPolicy ?? 'Delete',
      volumeBindingMode ?? 'Immediate',
      allowVolumeExpansion ?? false,
      ageText(metadata?.creationTimestamp, nowMs),
    ];
  },
};

export const VOLUME_ATTACHMENT_PRINTER: Printer<VolumeAttachment> = {
  columns: [NAME_COLUMN, text('Attacher'), text('PV'), text('Node'), boolean('Attached'), AGE_COLUMN],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata?.name ?? '',
    spec.attacher,
    spec.source.persistentVolumeName ?? '',
    spec.nodeName,
    status?.attached ?? false,
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

export const CSI_NODE_PRINTER: Printer<CSINode> = {
  columns: [NAME_COLUMN, integer('Drivers'), AGE_COLUMN],
  cells: ({ metadata, spec }, nowMs) => [
    metadata?.name ?? '',
    spec.drivers?.length ?? 0,
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

export const CSI_DRIVER_PRINTER: Printer<CSIDriver> = {
  columns: [
    NAME_COLUMN,
    boolean('AttachRequired'),
    boolean('PodInfoOnMount'),
    boolean('StorageCapacity'),
    text('TokenRequests'),
    boolean('RequiresRepublish'),
    text('Modes'),
    AGE_COLUMN,
  ],
  cells: ({ metadata, spec }, nowMs) => [
    metadata?.name ?? '',
    spec.attachRequired ?? true,
    spec.podInfoOnMount ?? false,
    spec.storageCapacity ?? false,
    (spec.tokenRequests ?? []).map(({ audience }) => audience).join(',') || UNSET,
    spec.requiresRepublish ?? false,
    (spec.volumeLifecycleModes ?? []).join(',') || NONE,
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

export const CSI_STORAGE_CAPACITY_PRINTER: Printer<CSIStorageCapacity> = {
  columns: [NAME_COLUMN, text('StorageClassName'), text('Capacity')],
  cells: ({ metadata, storageClassName, capacity }) => [metadata?.name ?? '', storageClassName, capacity ?? UNSET],
};
