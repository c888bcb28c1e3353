import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage } from './codec.ts';
import { UnexpectedMessageError } from './message-fields.ts';
import { ANY, API_REQUEST, NODE_PROCESSES, NODE_RULES, NODE_STREAM, subjectText } from './subjects.ts';

describe('subjects', () => {
  it('are filled in, with every parameter as one token', () => {
    expect(subjectText('lab', 'node.{node}.stream', { node: 'worker-1.a' })).toBe(
      'podwire.lab.node.worker-1=2ea.stream',
    );
    expect(subjectText('lab', 'node.{node}.stream', { node: ANY })).toBe('podwire.lab.node.*.stream');
    expect(() => subjectText('lab', 'node.{node}.stream', {})).toThrow('needs the parameter node');
    expect(() => subjectText('lab', 'node.{node}.stream', { node: 'x'.repeat(4000) })).toThrow(
      'would have 4024 characters',
    );
  });

  it('decode what they promise', () => {
    const request = {
      verb: 'get',
      group: '',
      version: 'v1',
      resource: 'pods',
      query: { watch: '0' },
      user: 'me',
    } as const;
    expect(API_REQUEST.decodeRequest(decodeMessage(encodeMessage(request)))).toMatchObject(request);
    const exec = { kind: 'exec', namespace: 'a', pod: 'b', command: ['ls', '-l'], stdin: true, tty: false } as const;
    expect(NODE_STREAM.decodeRequest(exec)).toMatchObject({ ...exec, stdout: false, stderr: false });
    const processes = [
      { name: 'coredns', namespace: 'a', pod: 'b', container: 'c', pid: 1, state: 'running', restarts: 0 },
    ];
    expect(NODE_PROCESSES.decodeResponse({ processes }).processes).toMatchObject(processes);
  });

  it('refuse everything else with an error, whatever it is', () => {
    const decoders = [
      API_REQUEST.decodeRequest,
      API_REQUEST.decodeResponse,
      NODE_STREAM.decodeRequest,
      NODE_RULES.decodeRequest,
      NODE_RULES.decodeResponse,
      NODE_PROCESSES.decodeResponse,
    ];
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...decoders), (value, decode) => {
        expect(() => decode(value)).toThrow(UnexpectedMessageError);
      }),
    );
  });
});

describe('the codec', () => {
  it('keeps JSON values and drops what is undefined', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!text.includes('"__proto__"'));
        expect(JSON.stringify(decodeMessage(encodeMessage(value)))).toBe(text);
      }),
    );
    // The one exception, and why it is one.
    const hostile = decodeMessage(encodeMessage(JSON.parse('{"__proto__":{"polluted":true}}'))) as object;
    expect(JSON.stringify(hostile)).toBe('{"__proto_":{"polluted":true}}');
    expect('polluted' in hostile).toBe(false);
    expect(Object.keys(decodeMessage(encodeMessage({ a: 1, b: undefined })) as object)).toEqual(['a']);
  });

  it('refuses bytes that are no message', () => {
    expect(() => decodeMessage(Uint8Array.of(0x92, 1))).toThrow('not a MessagePack value');
  });
});
