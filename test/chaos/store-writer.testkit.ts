/**
 * A client that writes ConfigMaps of its own one after the other and keeps book of what was acknowledged. An operation
 * without an answer may or may not have taken effect; the next look at the object must find one of the two, and whole.
 */
import type { Random } from '../../shared/runtime/random.ts';
import type { ApiAnswer, ApiProcess } from '../e2e/api-process.testkit.ts';

/** Undefined: there is no such object. Else the number of the operation that made it so. */
export type ObjectVersion = number | undefined;

export interface Acknowledged {
  readonly name: string;
  readonly version: ObjectVersion;
  /** A deletion's answer does not tell its revision. */
  readonly revision: number | undefined;
}

interface Expectation {
  certain: ObjectVersion;
  /** What operations without an answer would have made of it. */
  readonly possible: Set<ObjectVersion>;
  revision: string;
}

export const CONFIGMAPS_PATH = '/api/v1/namespaces/default/configmaps';
const OBJECTS = 12;
const PADDING_BYTES = 400;

/** The content of a version: its parts belong together, so that half a write shows. */
export function contentOf(name: string, version: number): Record<string, string> {
  return { name, version: String(version), padding: String(version).padStart(PADDING_BYTES, '.'), last: `#${version}` };
}

/** Throws when the content is no version's. */
export function versionIn(name: string, data: unknown): number {
  const version = Number((data as Record<string, string> | undefined)?.version);
  if (JSON.stringify(sorted(data)) !== JSON.stringify(sorted(contentOf(name, version)))) {
    throw new Error(`${name} holds what nobody wrote: ${JSON.stringify(data)}`);
  }
  return version;
}

function sorted(data: unknown): unknown {
  return Object.entries(data ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Nobody was there to take the request. */
const NOT_SENT: ApiAnswer = { code: 0, headers: {}, body: '' };

export class StoreWriter {
  /** In the order of their answers. */
  readonly acknowledged: Acknowledged[] = [];
  unanswered = 0;
  private readonly name: string;
  private readonly servers: readonly ApiProcess[];
  private readonly random: Random;
  private readonly objects = new Map<string, Expectation>();
  private versions = 0;
  private lastRevision = 0;
  private stopped = false;

  constructor(name: string, servers: readonly ApiProcess[], random: Random) {
    this.name = name;
    this.servers = servers;
    this.random = random;
    for (let i = 0; i < OBJECTS; i++) {
      this.objects.set(`${name}-${i}`, { certain: undefined, possible: new Set(), revision: '' });
    }
  }

  /** Writes until it is stopped; rejects at the first thing that must not be. */
  async run(): Promise<void> {
    const names = [...this.objects.keys()];
    while (!this.stopped) await this.operate(names[this.random.integer(0, names.length)] as string);
    for (const name of names) await this.look(name);
  }

  stop(): void {
    this.stopped = true;
  }

  /** After `run`: what must be there, by name. */
  expected(): Map<string, number> {
    const present = [...this.objects].filter(([, { certain }]) => certain !== undefined);
    return new Map(present.map(([name, { certain }]) => [name, certain as number]));
  }

  private async operate(name: string): Promise<void> {
    const object = this.objects.get(name) as Expectation;
    const version = ++this.versions;
    if (object.certain === undefined) return this.create(name, object, version);
    const dice = this.random.next();
    if (dice < 0.2) return this.delete(name, object);
    return dice < 0.6 ? this.replace(name, object, version) : this.patch(name, object, version);
  }

  private async create(name: string, object: Expectation, version: number): Promise<void> {
    const body = { metadata: { name }, data: contentOf(name, version) };
    await this.write(name, object, version, 201, ['POST', CONFIGMAPS_PATH, JSON.stringify(body)]);
  }

  private async replace(name: string, object: Expectation, version: number): Promise<void> {
    const body = { metadata: { name, resourceVersion: object.revision }, data: contentOf(name, version) };
    await this.write(name, object, version, 200, ['PUT', `${CONFIGMAPS_PATH}/${name}`, JSON.stringify(body)]);
  }

  private async patch(name: string, object: Expectation, version: number): Promise<void> {
    const body = JSON.stringify({ data: contentOf(name, version) });
    const type = { 'content-type': 'application/merge-patch+json' };
    await this.write(name, object, version, 200, ['PATCH', `${CONFIGMAPS_PATH}/${name}`, body, type]);
  }

  private async delete(name: string, object: Expectation): Promise<void> {
    await this.write(name, object, undefined, 200, ['DELETE', `${CONFIGMAPS_PATH}/${name}`]);
  }

  private async write(
    name: string,
    object: Expectation,
    version: ObjectVersion,
    success: number,
    request: Parameters<ApiProcess['call']>,
  ): Promise<void> {
    const answer = await this.ask(request);
    if (answer?.code === success) {
      const { metadata } = JSON.parse(answer.body);
      this.settle(name, object, version, version === undefined ? undefined : metadata.resourceVersion);
      return;
    }
    // Nothing but a write of our own that was not acknowledged can be in the way.
    const inTheWay = answer?.code === 404 || answer?.code === 409;
    const refused = answer !== undefined && answer.code > 0 && answer.code < 500;
    if (refused && (!inTheWay || object.possible.size === 0)) {
      throw new Error(`${request[0]} of ${name} (version ${object.certain}) is ${answer.code}: ${answer.body}`);
    }
    if (!inTheWay && answer !== NOT_SENT) {
      this.unanswered++;
      object.possible.add(version);
    }
    await this.look(name);
  }

  private settle(name: string, object: Expectation, version: ObjectVersion, revisionText: string | undefined): void {
    const revision = revisionText === undefined ? undefined : Number(revisionText);
    if (revision !== undefined) this.advance(revision);
    object.certain = version;
    object.possible.clear();
    object.revision = revisionText ?? '';
    this.acknowledged.push({ name, version, revision });
  }

  /** Revisions never go back: what is acknowledged later has a higher one. */
  private advance(revision: number): void {
    if (revision <= this.lastRevision) {
      throw new Error(`${this.name}: revision ${revision} was given after ${this.lastRevision}`);
    }
    this.lastRevision = revision;
  }

  /**
   * Reads the object until somebody answers. What is possible stays possible: an operation whose server was killed may
   * still be under way to the store.
   */
  private async look(name: string): Promise<void> {
    const object = this.objects.get(name) as Expectation;
    for (;;) {
      const answer = await this.ask(['GET', `${CONFIGMAPS_PATH}/${name}`]);
      if (answer === undefined || answer === NOT_SENT || answer.code >= 500) continue;
      // Read while NATS is away: perhaps an old state, which the answer says.
      if (answer.headers.warning !== undefined) continue;
      if (answer.code !== 200 && answer.code !== 404) throw new Error(`GET of ${name} is ${answer.code}`);
      const found = answer.code === 404 ? undefined : JSON.parse(answer.body);
      const version = found === undefined ? undefined : versionIn(name, found.data);
      if (version !== object.certain && !object.possible.has(version)) {
        throw new Error(
          `${name} is at version ${version}; acknowledged is ${object.certain}, possible ${[...object.possible]}`,
        );
      }
      object.possible.add(object.certain);
      object.certain = version;
      object.revision = found?.metadata.resourceVersion ?? '';
      return;
    }
  }

  /** Undefined when the connection broke: the request may or may not have had its effect. */
  private async ask(request: Parameters<ApiProcess['call']>): Promise<ApiAnswer | undefined> {
    const server = this.servers[this.random.integer(0, this.servers.length)] as ApiProcess;
    try {
      return await server.call(...request);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      // A server that is not there is no reason to keep the machine busy.
      await new Promise((resolve) => setTimeout(resolve, 5));
      return error.code === 'ECONNREFUSED' ? NOT_SENT : undefined;
    }
  }
}
