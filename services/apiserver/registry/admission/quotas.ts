/**
 * ResourceQuotas in force. What a write takes is added to the status of each quota by compare-and-set before the object is
 * written, so that of two writes at two apiservers one sees the other's; `maintenance/quota-status.ts` gives back what is
 * taken no more (Kubernetes "Resource Quotas").
 */
import type { Pod, ResourceQuota } from 'kubernetes-types/core/v1.js';
import type { KubeObject } from '../../../../shared/api/object.ts';
import { compareQuantities, type Quantity } from '../../../../shared/api/quantity.ts';
import {
  type Amounts,
  addTo,
  amountsOf,
  amountsText,
  count,
  negated,
  quantitiesOf,
} from '../../../../shared/api/quota/amounts.ts';
import { isInScope } from '../../../../shared/api/quota/scope.ts';
import { missingResources } from '../../../../shared/api/quota/usage.ts';
import type { ResourceRef } from '../../../../shared/api/resource.ts';
import { PODS, RESOURCEQUOTAS } from '../../../../shared/api/resources.ts';
import { forbidden, isApiError } from '../../../../shared/api/status.ts';
import type { ObjectStorage } from '../../storage/object-storage.ts';
import type { Undo } from '../strategy.ts';
import { quotasIn, totalUsage, usageOf } from './quota-usage.ts';

export interface QuotaWrite {
  readonly storage: ObjectStorage;
  readonly resource: Pick<ResourceRef, 'group' | 'resource'>;
  readonly object: KubeObject;
  /** The present state; undefined for a new object. */
  readonly old: KubeObject | undefined;
  readonly dryRun: boolean;
  readonly nowMs: number;
}

interface Charge {
  readonly quota: ResourceQuota;
  /** More than nothing, each. */
  readonly amounts: Amounts;
}

/** Throws Forbidden when a quota does not allow it. */
export async function chargeQuotas(write: QuotaWrite): Promise<Undo | undefined> {
  const { namespace } = write.object.metadata;
  if (!namespace) return undefined;
  const quotas = quotasIn(write.storage, namespace);
  if (quotas.length === 0) return undefined;
  for (const quota of quotas) checkCompleteness(write, quota);
  const charges = quotas.map((quota) => ({ quota, amounts: increase(write, quota) }));
  const positive = charges.filter(({ amounts }) => amounts.size > 0);
  for (const charge of positive) checkCharge(write, charge, used(write, charge.quota));
  if (write.dryRun || positive.length === 0) return undefined;
  return inTurn(write.storage, namespace, () => addAll(write, positive));
}

const turns = new WeakMap<ObjectStorage, Map<string, Promise<unknown>>>();

/** Those who write at one apiserver wait for each other instead of racing for the same quota. */
async function inTurn<T>(storage: ObjectStorage, namespace: string, work: () => Promise<T>): Promise<T> {
  const ofStorage = turns.get(storage) ?? new Map<string, Promise<unknown>>();
  turns.set(storage, ofStorage);
  const turn = (ofStorage.get(namespace) ?? Promise.resolve()).then(work, work);
  ofStorage.set(namespace, turn);
  try {
    return await turn;
  } finally {
    if (ofStorage.get(namespace) === turn) ofStorage.delete(namespace);
  }
}

async function addAll(write: QuotaWrite, charges: readonly Charge[]): Promise<Undo> {
  const done: Charge[] = [];
  const undo = async () => {
    for (const { quota, amounts } of done) await add(write, { quota, amounts: negated(amounts) }, false);
  };
  try {
    for (const charge of charges) {
      await add(write, charge, true);
      done.push(charge);
    }
  } catch (error) {
    await undo();
    throw error;
  }
  return undo;
}

/** A quota of cpu or memory wants to know them of every container of a new pod. */
function checkCompleteness({ resource, object, old }: QuotaWrite, quota: ResourceQuota): void {
  if (old !== undefined || resource.group !== '' || resource.resource !== PODS.resource) return;
  // The decoder has checked the object against its kind.
  const pod = object as unknown as Pod;
  if (!isInScope(quota, pod)) return;
  const missing = missingResources(pod, Object.keys(quota.spec?.hard ?? {}));
  if (missing === undefined) return;
  throw forbidden(resource, object.metadata.name ?? '', `failed quota: ${quota.metadata?.name}: ${missing}`);
}

function increase({ resource, object, old, nowMs }: QuotaWrite, quota: ResourceQuota): Amounts {
  const amounts = new Map<string, Quantity>(usageOf(quota, resource, object, nowMs));
  if (old !== undefined) addTo(amounts, negated(usageOf(quota, resource, old, nowMs)));
  return new Map([...amounts].filter(([, { nano }]) => nano > 0n));
}

/** What the quota's status says; before it says anything, what there is. */
function used({ storage, nowMs }: QuotaWrite, quota: ResourceQuota): Map<string, Quantity> {
  const told = amountsOf(quota.status?.used);
  const isWhole = Object.keys(quota.spec?.hard ?? {}).every((name) => told.has(name));
  return isWhole ? told : totalUsage(storage, quota, nowMs);
}

function checkCharge({ resource, object }: QuotaWrite, { quota, amounts }: Charge, present: Amounts): void {
  const hard = amountsOf(quota.spec?.hard);
  const after = new Map(present);
  addTo(after, amounts);
  const exceeded = [...amounts.keys()].filter((name) => compareQuantities(after.get(name)!, hard.get(name)!) > 0);
  if (exceeded.length === 0) return;
  const [requested, taken, limited] = [amounts, present, hard].map((of) => amountsText(of, exceeded));
  throw forbidden(
    resource,
    object.metadata.name ?? '',
    `exceeded quota: ${quota.metadata?.name}, requested: ${requested}, used: ${taken}, limited: ${limited}`,
  );
}

async function add(write: QuotaWrite, charge: Charge, checked: boolean): Promise<void> {
  const { name = '', namespace } = charge.quota.metadata ?? {};
  try {
    await write.storage.update(RESOURCEQUOTAS, name, namespace, (current) => {
      const quota = current as unknown as ResourceQuota;
      const present = used(write, quota);
      if (checked) checkCharge(write, { ...charge, quota }, present);
      return { kind: 'write', object: withUsage(current, present, charge.amounts) };
    });
  } catch (error) {
    // A quota that is gone limits nothing.
    if (!isApiError(error, 'NotFound')) throw error;
  }
}

function withUsage(current: KubeObject, present: Amounts, more: Amounts): KubeObject {
  const hard = (current as unknown as ResourceQuota).spec?.hard ?? {};
  const sum = new Map(present);
  addTo(sum, more);
  const kept = [...sum].filter(([name]) => Object.hasOwn(hard, name));
  const floored = kept.map(([name, quantity]) => [name, quantity.nano < 0n ? count(0) : quantity] as const);
  return { ...current, status: { hard, used: quantitiesOf(new Map(floored)) } };
}
