/** Something the user can put right: one sentence that says what, where and what to do. Printed without a stack. */
export class UserError extends Error {
  override name = 'UserError';
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Node's code of a system error (`EACCES`, `EADDRINUSE`), if it is one. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
