import { ApiError, apiErrorFromStatus, type Status } from '../api/status.ts';

/** No answer within the time limit; the request may have been carried out. */
export class BusTimeoutError extends Error {
  override name = 'BusTimeoutError';
}

/** Nobody serves the subject, or the connection to NATS is down. */
export class BusUnavailableError extends Error {
  override name = 'BusUnavailableError';
  /** False when the request surely reached nobody; true when the connection broke while it was on its way. */
  readonly maybeDelivered: boolean;

  constructor(message: string, maybeDelivered = false) {
    super(message);
    this.maybeDelivered = maybeDelivered;
  }
}

/** The other side failed; `status` is there when it failed with an API error. */
export class RemoteError extends Error {
  override name = 'RemoteError';
  readonly status: ApiError | undefined;

  constructor(message: string, status?: ApiError) {
    super(message);
    this.status = status;
  }
}

/** How a failure travels. */
export interface FailureMessage {
  readonly message: string;
  readonly status?: Status;
}

export function failureFromError(error: unknown): FailureMessage {
  if (error instanceof ApiError) return { message: error.message, status: error.toStatus() };
  return { message: error instanceof Error ? error.message : String(error) };
}

export function errorFromFailure(failure: unknown): RemoteError {
  if (typeof failure !== 'object' || failure === null || !('message' in failure)) {
    return new RemoteError('the other side failed without saying why');
  }
  const status = 'status' in failure ? apiErrorFromStatus(failure.status) : undefined;
  return new RemoteError(String(failure.message), status);
}
