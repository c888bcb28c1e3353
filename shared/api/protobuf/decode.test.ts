import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../object.ts';
import { schemaOfKind } from '../registry.ts';
import { decodeObject } from '../schema/decode.ts';
import { ApiError } from '../status.ts';
import { decodeProtobuf } from './decode.ts';
import { encodeProtobuf } from './encode.testkit.ts';

function stored(bytes: Uint8Array): JsonObject {
  const { apiVersion, kind, object } = decodeProtobuf(bytes);
  return decodeObject(object, schemaOfKind(apiVersion, kind)!, { kind, version: 'v1' }).object;
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/** Bodies as kubectl 1.33 sent them (recorded with an HTTP server that answers 500). */
const RECORDED = {
  /** kubectl create deployment web --image=nginx:1.27 --replicas=3 --port=80 */
  deployment:
    'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50Er0BCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEosBCAMSDAoKCgNhcHASA3dlYhpxChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViElESMwoFbmdpbngSCm5naW54OjEuMjcqADIKCgAQABhQIgAqAEIAagByAIABAIgBAJABAKIBABoAMgBCAEoAUgBYAGAAaACCAQCKAQCaAQDCAQAiAgoAKAA4ABoMCAAQABgAIAAoADgAGgAiAA==',
  /** kubectl create service clusterip web --tcp=80:http */
  service:
    'azhzAAoNCgJ2MRIHU2VydmljZRJsCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkUKHgoHODAtaHR0cBIDVENQGFAiCggBEAAaBGh0dHAoABIKCgNhcHASA3dlYhoAIglDbHVzdGVySVA6AEIAUgBaAGAAaAAaAgoAGgAiAA==',
  /** kubectl create secret generic s --from-literal=a=b */
  secret: 'azhzAAoMCgJ2MRIGU2VjcmV0Eh0KEQoBcxIAGgAiACoAMgA4AEIAEgYKAWESAWIaABoAIgA=',
  /** kubectl create quota q --hard=pods=2,cpu=1500m */
  quota:
    'azhzAAoTCgJ2MRINUmVzb3VyY2VRdW90YRI0ChEKAXESABoAIgAqADIAOABCABIdCg4KA2NwdRIHCgUxNTAwbQoLCgRwb2RzEgMKATIaABoAIgA=',
  /** kubectl auth can-i get pods */
  review:
    'azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSPAoQCgASABoAIgAqADIAOABCABIeChwKB2RlZmF1bHQSA2dldBoAIgAqBHBvZHMyADoAGggIABIAGgAgABoAIgA=',
} as const;

describe('recorded bodies', () => {
  test('deployment', () => {
    expect(stored(fromBase64(RECORDED.deployment))).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', labels: { app: 'web' } },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            containers: [{ name: 'nginx', image: 'nginx:1.27', ports: [{ containerPort: 80 }], resources: {} }],
          },
        },
        strategy: {},
      },
      status: {},
    });
  });

  test('service with a named target port', () => {
    expect(stored(fromBase64(RECORDED.service))).toMatchObject({
      metadata: { name: 'web' },
      spec: {
        type: 'ClusterIP',
        selector: { app: 'web' },
        ports: [{ name: '80-http', protocol: 'TCP', port: 80, targetPort: 'http' }],
      },
    });
  });

  test('bytes, quantities, reviews', () => {
    expect(stored(fromBase64(RECORDED.secret)).data).toEqual({ a: 'Yg==' });
    expect(stored(fromBase64(RECORDED.quota)).spec).toEqual({ hard: { cpu: '1500m', pods: '2' } });
    expect(stored(fromBase64(RECORDED.review)).spec).toEqual({
      resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' },
    });
  });
});

test('what the table writes, the table reads', () => {
  const pod: JsonObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', creationTimestamp: '2026-01-31T08:00:00Z', labels: { x: 'y' } },
    spec: {
      containers: [
        {
          name: 'a',
          image: 'nginx',
          resources: { limits: { cpu: '500m' } },
          livenessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 3 },
          env: [{ name: 'N', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        },
      ],
      volumes: [{ name: 'v', configMap: { name: 'c', defaultMode: 420 } }],
      automountServiceAccountToken: false,
    },
    status: {},
  };
  expect(stored(encodeProtobuf(pod))).toEqual(pod);
  const lease: JsonObject = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'a' },
    spec: { holderIdentity: 'x', renewTime: '2026-01-31T08:00:00.123456Z' },
  };
  expect(stored(encodeProtobuf(lease))).toEqual(lease);
  const review: JsonObject = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    metadata: {},
    spec: { user: 'u', extra: { scopes: ['a', 'b'] } },
    status: { allowed: true },
  };
  expect(stored(encodeProtobuf(review))).toEqual(review);
});

describe('malformed bodies', () => {
  test.each([
    ['not protobuf', new TextEncoder().encode('{"kind":"Pod"}')],
    ['empty', new Uint8Array()],
    ['magic only', Uint8Array.of(0x6b, 0x38, 0x73, 0)],
    ['truncated', fromBase64(RECORDED.deployment).subarray(0, 100)],
  ])('%s', (_, bytes) => {
    expect(() => decodeProtobuf(bytes)).toThrow(ApiError);
  });

  test('any damage is decoded or a BadRequest', () => {
    const whole = fromBase64(RECORDED.deployment);
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(damage, fc.nat(whole.length), (changes, cut) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          stored(cut % 3 === 0 ? bytes.subarray(0, cut) : bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ApiError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
