import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeCode,
  decodeDatagram,
  decodeFailure,
  decodeRequest,
  encodeCode,
  encodeDatagram,
  encodeFrame,
  encodeMessage,
  FRAME_KIND,
  type Frame,
  FrameReader,
  MAX_FRAME_BYTES,
  ProtocolError,
} from './socket-protocol.ts';

function readAll(reader: FrameReader, chunks: readonly Uint8Array[]): Frame[] {
  return chunks.flatMap((chunk) =>
    [...reader.push(chunk)].map((frame) => ({ ...frame, payload: Uint8Array.from(frame.payload) })),
  );
}

describe('frames', () => {
  it('have these bytes', () => {
    expect(Buffer.concat(encodeFrame(FRAME_KIND.data, 0x0102, Uint8Array.of(0xaa, 0xbb))).toString('hex')).toBe(
      '0700000006' + '02010000' + 'aabb',
    );
    expect(Buffer.concat(encodeFrame(FRAME_KIND.end, 1)).toString('hex')).toBe('0500000008' + '01000000');
  });

  it('come out as they went in, however the stream is cut', () => {
    const frame = fc.record({
      kind: fc.integer({ min: 1, max: 15 }),
      channel: fc.nat(0xffff_ffff),
      payload: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 64 })), (frames, cuts) => {
        const bytes = Buffer.concat(
          frames.flatMap(({ kind, channel, payload }) => encodeFrame(kind, channel, payload)),
        );
        const chunks: Uint8Array[] = [];
        let start = 0;
        for (const cut of cuts) {
          chunks.push(bytes.subarray(start, start + cut));
          start += cut;
        }
        chunks.push(bytes.subarray(start));
        expect(readAll(new FrameReader(), chunks)).toEqual(frames);
      }),
    );
  });

  it('of impossible length end the connection', () => {
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setUint32(0, MAX_FRAME_BYTES + 1, true);
    expect(() => readAll(new FrameReader(), [bytes])).toThrow(ProtocolError);
    expect(() => readAll(new FrameReader(), [new Uint8Array(9)])).toThrow('frame of 0 bytes');
  });
});

describe('messages', () => {
  it('carry requests', () => {
    const connect = { op: 'connect', host: '10.0.0.1', port: 80, localAddress: undefined, localPort: undefined };
    expect(decodeRequest(encodeMessage(connect))).toEqual(connect);
    const remote = { address: '10.0.0.1', port: 53 };
    expect(decodeRequest(encodeMessage({ op: 'bind-udp', address: '0.0.0.0', port: 0, remote }))).toMatchObject({
      remote,
    });
  });

  it.each([
    [{ op: 'connect', host: 5, port: 80 }, 'host is not a text'],
    [{ op: 'connect', host: 'x', port: 70_000 }, 'port is not a port number'],
    [{ op: 'listen', host: 'x' }, 'port is not a port number'],
    [{ op: 'format-disk' }, 'unknown request format-disk'],
    ['text', 'message is not an object'],
  ])('refuse what makes no sense: %j', (message, sentence) => {
    expect(() => decodeRequest(encodeMessage(message))).toThrow(sentence);
  });

  it('carry datagrams and error codes', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.nat(65_535), fc.ipV4(), fc.uint8Array(), (number, port, address, data) => {
        expect(decodeDatagram(encodeDatagram({ number, port, address, data }))).toEqual({
          number,
          port,
          address,
          data,
        });
      }),
    );
    expect(() => decodeDatagram(Uint8Array.of(0, 0, 0, 0, 0, 0, 9))).toThrow('truncated datagram');
    expect(decodeCode(encodeCode('ECONNREFUSED'))).toBe('ECONNREFUSED');
    expect(decodeCode(encodeCode(null))).toBeNull();
    expect(() => decodeCode(Buffer.from('EWHATEVER'))).toThrow('unknown error code');
    expect(() => decodeFailure(encodeMessage({ code: 'EWHATEVER', syscall: 'connect' }))).toThrow('unknown error code');
  });
});
