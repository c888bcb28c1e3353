/**
 * A watch as a chunked response: one JSON object a line, for as long as the client listens. A client that does not read
 * is cut off rather than buffered without end; it resumes from its last resourceVersion.
 */
import { partialMetadata } from '../../../shared/api/columns/table.ts';
import { fromStorage } from '../../../shared/api/conversion/convert.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import { apiVersionOf } from '../../../shared/api/resource.ts';
import { expired } from '../../../shared/api/status.ts';

import type { Watch, WatchEvent } from '../registry/watch.ts';
import { type IncludeObject, objectTable } from './answer-shape.ts';
import type { Shape } from './negotiation.ts';
import { objectText } from './object-text.ts';
import type { Reply } from './response.ts';

const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
const BOOKMARK_INTERVAL_MS = 60_000;
/** As the original's `--min-request-timeout`; up to twice as long, so that clients do not all come back at once. */
const MIN_TIMEOUT_SECONDS = 1800;

export interface WatchFormat {
  readonly definition: ResourceDefinition;
  readonly shape: Shape;
  readonly includeObject: IncludeObject;
  readonly nowMs: () => number;
}

/** Begins to answer; resolves when the watch is over. */
export function streamWatch(reply: Reply, watch: Watch, format: WatchFormat, random: number): Promise<void> {
  const { response } = reply;
  response.setHeader('Content-Type', reply.encoding === 'json' ? 'application/json' : 'application/yaml');
  response.setHeader('Cache-Control', 'no-cache, private');
  response.writeHead(200);
  response.flushHeaders();
  const seconds = watch.options.timeoutSeconds ?? MIN_TIMEOUT_SECONDS * (1 + random);
  return new Promise((resolve) => {
    const send = (line: string | Buffer) => {
      response.write(line);
      if (response.writableLength > MAX_BUFFERED_BYTES) response.destroy();
    };
    const finish = () => {
      clearTimeout(timeout);
      clearInterval(bookmarks);
      watch.stop();
      if (!response.writableEnded && !response.destroyed) response.end();
      resolve();
    };
    const bookmarks = setInterval(() => watch.bookmark(), BOOKMARK_INTERVAL_MS);
    const timeout = setTimeout(() => {
      watch.bookmark();
      finish();
    }, seconds * 1000);
    response.on('close', finish);
    const encoder = new WatchEncoder(format);
    watch.start({
      event: (event) => send(encoder.encode(event)),
      ended: finish,
      expired: () => {
        send(line('ERROR', expired('the store was replaced; list anew').toStatus()));
        finish();
      },
    });
  });
}

function line(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

/** An object that is converted for its watchers is converted once for all: they are told in the same turn. */
let lastObject: KubeObject | undefined;
let lastResource: ResourceDefinition | undefined;
let lastText = '';

function sharedText(object: KubeObject, definition: ResourceDefinition): string {
  if (object !== lastObject || definition !== lastResource) {
    lastText = objectText(fromStorage(object, definition));
    lastObject = object;
    lastResource = definition;
  }
  return lastText;
}

class WatchEncoder {
  private readonly format: WatchFormat;
  private columnsTold = false;

  constructor(format: WatchFormat) {
    this.format = format;
  }

  encode(event: WatchEvent): string {
    const { definition, shape } = this.format;
    if (event.type === 'BOOKMARK')
      return line('BOOKMARK', this.bookmark(event.resourceVersion, event.initialEventsEnd));
    if (shape.kind === 'object') return `{"type":"${event.type}","object":${sharedText(event.object, definition)}}\n`;
    const object = fromStorage(event.object, definition);
    return line(event.type, shape.kind === 'metadata' ? partialMetadata(object, shape.version) : this.table(object));
  }

  private table(object: KubeObject): unknown {
    const { definition, shape, includeObject, nowMs } = this.format;
    const version = shape.kind === 'table' ? shape.version : 'v1';
    const withColumns = !this.columnsTold;
    this.columnsTold = true;
    return objectTable(definition, [object], {
      version,
      includeObject,
      withColumns,
      listMeta: { resourceVersion: object.metadata.resourceVersion },
      nowMs: nowMs(),
    });
  }

  private bookmark(resourceVersion: string, initialEventsEnd: boolean): unknown {
    const { definition, shape } = this.format;
    const annotations = initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
    const metadata = { resourceVersion, creationTimestamp: null, ...annotations };
    if (shape.kind === 'metadata') {
      return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${shape.version}`, metadata };
    }
    const object = { kind: definition.kind, apiVersion: apiVersionOf(definition), metadata };
    if (shape.kind === 'object') return object;
    return {
      kind: 'Table',
      apiVersion: `meta.k8s.io/${shape.version}`,
      metadata: { resourceVersion },
      columnDefinitions: null,
      rows: [{ cells: null, object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata } }],
    };
  }
}
