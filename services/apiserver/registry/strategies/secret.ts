/** Secrets: `stringData` is written, never read (Kubernetes API reference, Secret). */
import { isJsonObject, type JsonObject, type KubeObject, setField } from '../../../../shared/api/object.ts';
import type { Strategy } from '../strategy.ts';

export const secretStrategy: Strategy = {
  create(secret) {
    encodeStringData(secret);
    return undefined;
  },
  update(secret) {
    encodeStringData(secret);
    return undefined;
  },
};

function encodeStringData(secret: KubeObject): void {
  if (!isJsonObject(secret.stringData)) return;
  const data: JsonObject = isJsonObject(secret.data) ? { ...secret.data } : {};
  for (const [key, value] of Object.entries(secret.stringData)) {
    setField(data, key, Buffer.from(String(value)).toString('base64'));
  }
  secret.data = data;
  delete secret.stringData;
}
