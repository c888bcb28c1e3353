/** What stops an `ip` command: the sentence that iproute2 prints, and its exit code. */
export class IpError extends Error {
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.name = 'IpError';
    this.code = code;
  }
}

/** The command line is no command. */
export function usageError(message: string): IpError {
  return new IpError(message, 255);
}

/** A word is not what its place asks for. */
export function argumentError(message: string): IpError {
  return new IpError(message, 1);
}

/** The kernel refused, with the text of an errno. */
export function rtnetlinkError(text: string): IpError {
  return new IpError(`RTNETLINK answers: ${text}`, 2);
}

/** The kernel refused, and said why (NLMSGERR_ATTR_MSG). */
export function kernelError(text: string): IpError {
  return new IpError(`Error: ${text}`, 2);
}
