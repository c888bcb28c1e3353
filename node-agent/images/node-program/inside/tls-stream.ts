/** TLS reads and writes its underlying stream in native code: for a connection of the pod it is given one that asks us. */
import { binding, errorNumber, type JsStream, type NativeHandle } from './bindings.ts';
import { deliverEnd, divert, isTcpHandle, stateOf } from './tcp-handle.ts';
import { watchWrapping } from './tls-wrapping.ts';

const { JSStream } = binding('js_stream');

export function installTls(): void {
  watchWrapping();
  const tls = binding('tls_wrap');
  const wrapNative = tls.wrap;
  tls.wrap = (handle, ...more) => {
    if (!isTcpHandle(handle)) return wrapNative(handle, ...more);
    const stream = new JSStream();
    const wrapped = wrapNative(stream, ...more);
    join(handle, stream, wrapped);
    return wrapped;
  };
}

function join(handle: NativeHandle, stream: JsStream, wrapped: NativeHandle): void {
  const state = stateOf(handle);
  stream.isClosing = () => state.closed;
  stream.onreadstart = () => {
    state.reading = true;
    state.stream?.readStart();
    return 0;
  };
  stream.onreadstop = () => {
    state.reading = false;
    state.stream?.readStop();
    return 0;
  };
  stream.onwrite = (request, buffers) => {
    const finish = (status: number): void => stream.finishWrite(request, status);
    if (state.stream === undefined) setImmediate(finish, errorNumber('EPIPE'));
    else {
      state.bytesWritten += buffers.reduce((sum, buffer) => sum + buffer.length, 0);
      state.stream.write(buffers, finish);
    }
    return 0;
  };
  stream.onshutdown = (request) => {
    const finish = (status: number): void => stream.finishShutdown(request, status);
    if (state.stream === undefined) setImmediate(finish, errorNumber('ENOTCONN'));
    else state.stream.shutdown(finish);
    return 0;
  };
  divert(handle, {
    bytes: (chunk) => {
      state.bytesRead += chunk.length;
      state.resource.runInAsyncScope(() => stream.readBuffer(chunk));
    },
    end: (status) => {
      state.resource.runInAsyncScope(() => {
        if (status === 0) stream.emitEOF();
        else deliverEnd(wrapped, status);
      });
    },
  });
}
