/** Why an apply is to stop or to wait: asked for by somebody, or by its own watchdog. */

/** The reason of an apply's abort signal. Its name is that of any abort. */
export class ApplyStopped extends Error {
  override readonly name = 'AbortError';
  /** Stable, e.g. `cancelled`, `yielded`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a recovery would send may not be sent now: its apply stays open, for a later look. */
export class ApplyHeld extends Error {
  override readonly name = 'ApplyHeld';
}

/** Code and words for an aborted signal. */
export function stopReason(signal: AbortSignal | undefined): [string, string] {
  const reason: unknown = signal?.reason;
  return reason instanceof ApplyStopped
    ? [reason.code, reason.message]
    : ['cancelled', 'It was cancelled as asked.'];
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
