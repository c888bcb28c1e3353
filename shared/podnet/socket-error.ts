/** Socket errors as Node words them, so that programs which look at `code`, `syscall` or the message find what they know. */

/** Linux' numbers and sentences of the errors a pod's stack can answer with. */
const ERRORS = {
  EADDRINUSE: { errno: 98, text: 'Address already in use' },
  EADDRNOTAVAIL: { errno: 99, text: 'Cannot assign requested address' },
  ENETUNREACH: { errno: 101, text: 'Network is unreachable' },
  ECONNABORTED: { errno: 103, text: 'Software caused connection abort' },
  ECONNRESET: { errno: 104, text: 'Connection reset by peer' },
  ENOBUFS: { errno: 105, text: 'No buffer space available' },
  ETIMEDOUT: { errno: 110, text: 'Connection timed out' },
  ECONNREFUSED: { errno: 111, text: 'Connection refused' },
  EHOSTUNREACH: { errno: 113, text: 'No route to host' },
  EACCES: { errno: 13, text: 'Permission denied' },
  EINVAL: { errno: 22, text: 'Invalid argument' },
  EPIPE: { errno: 32, text: 'Broken pipe' },
  EMSGSIZE: { errno: 90, text: 'Message too long' },
  ECANCELED: { errno: 125, text: 'Operation canceled' },
} as const;

export type SocketErrorCode = keyof typeof ERRORS;

export class SocketError extends Error {
  readonly code: SocketErrorCode;
  readonly errno: number;
  readonly syscall: string;
  readonly address: string | undefined;
  readonly port: number | undefined;

  /** Message as Node's: `connect ECONNREFUSED 10.244.1.5:80`. */
  constructor(code: SocketErrorCode, syscall: string, address?: string, port?: number) {
    super(
      address === undefined
        ? `${syscall} ${code}`
        : `${syscall} ${code} ${address}${port === undefined ? '' : `:${port}`}`,
    );
    this.name = 'SocketError';
    this.code = code;
    this.errno = -ERRORS[code].errno;
    this.syscall = syscall;
    this.address = address;
    this.port = port;
  }
}

export function isSocketErrorCode(code: unknown): code is SocketErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code);
}

/** The code of whatever was thrown, when it is one of a socket's; undefined otherwise. */
export function socketErrorCode(error: unknown): SocketErrorCode | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return isSocketErrorCode(code) ? code : undefined;
}

/** The C library's sentence for a code: `Connection refused`. */
export function socketErrorText(code: SocketErrorCode): string {
  return ERRORS[code].text;
}
