/** Binding an entrance's real socket: its own port, or, where that cannot be had, another one and the reason. */

export interface BoundPort {
  readonly port: number;
  /** Why it is not the port of the Service. */
  readonly instead?: string;
}

/** `bind` resolves to the port, or rejects with a system error; 0 asks for any. */
export async function bindOrMap(port: number, bind: (port: number) => Promise<number>): Promise<BoundPort> {
  try {
    return { port: await bind(port) };
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    return { port: await bind(0), instead: reason };
  }
}

function reasonOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EACCES') return 'this user may not bind it';
  if (code === 'EADDRINUSE') return 'another program has it';
  return undefined;
}
