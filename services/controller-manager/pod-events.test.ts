import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../shared/runtime/clock.ts';
import { PodEvents } from './pod-events.ts';

function setUp() {
  const clock = new FakeClock();
  const told: string[] = [];
  const events = new PodEvents(
    { record: (about, type, reason, message) => told.push(`${about.name} ${type} ${reason} ${message}`) },
    clock,
  );
  return { clock, told, events };
}

const replicaSet = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', namespace: 'default', uid: '1' };
const statefulSet = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', namespace: 'default', uid: '2' };

describe("events about a controller's pods", () => {
  it('have the words of the original', () => {
    const { told, events } = setUp();
    events.succeeded(replicaSet, 'create', 'web-a');
    events.succeeded(replicaSet, 'delete', 'web-a');
    events.failed(replicaSet, 'create', '', 'pods "web-b" is forbidden: exceeded quota');
    events.succeeded(statefulSet, 'create', 'db-0');
    events.failed(statefulSet, 'delete', 'db-0', 'no');
    expect(told).toEqual([
      'web Normal SuccessfulCreate Created pod: web-a',
      'web Normal SuccessfulDelete Deleted pod: web-a',
      'web Warning FailedCreate Error creating: pods "web-b" is forbidden: exceeded quota',
      'db Normal SuccessfulCreate create Pod db-0 in StatefulSet db successful',
      'db Warning FailedDelete delete Pod db-0 in StatefulSet db failed error: no',
    ]);
  });

  it('are told of the first ones only, for a while', async () => {
    const { clock, told, events } = setUp();
    for (let i = 0; i < 100; i++) events.succeeded(replicaSet, 'create', `web-${i}`);
    expect(told).toHaveLength(10);
    events.succeeded(statefulSet, 'create', 'db-0');
    expect(told).toHaveLength(11);
    await clock.advance(600_001);
    events.succeeded(replicaSet, 'create', 'web-again');
    expect(told.at(-1)).toContain('web-again');
  });
});
