/**
 * Objects as JSON text. A state of an object never changes, so its text is made once, for the answer to its writer, for
 * every list and for every watcher, and goes when the state does.
 */
import type { KubeObject } from '../../../shared/api/object.ts';

const texts = new WeakMap<KubeObject, string>();

/** The object must not change afterwards. */
export function objectText(object: KubeObject): string {
  let text = texts.get(object);
  if (text === undefined) {
    text = JSON.stringify(object);
    texts.set(object, text);
  }
  return text;
}

/** So much of a list is handed to the connection at a time. */
const CHUNK_CHARACTERS = 128 * 1024;

/** A list in pieces; `head` is the list without its items. */
export function* listTexts(head: object, items: readonly KubeObject[]): Generator<string> {
  let piece = `${JSON.stringify(head).slice(0, -1)},"items":[`;
  for (const [i, item] of items.entries()) {
    piece += i === 0 ? objectText(item) : `,${objectText(item)}`;
    if (piece.length < CHUNK_CHARACTERS) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}]}\n`;
}
