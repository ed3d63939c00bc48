/**
 * The one error type that reaches a person. Everything else is a defect: it is logged in full and shown as
 * `internal_error`.
 */

/** A blocker named in a refusal: who is in the way, so that a DBA can decide. */
export interface Blocker {
  pid: number;
  user: string | null;
  application_name: string | null;
  /** Leading part of the blocker's statement, if this role may see it. */
  query: string | null;
  /** Seconds since the blocker's transaction began; null where it cannot be seen. */
  age_seconds: number | null;
  reason: string;
}

export interface PgLuthierErrorOptions {
  /** Stable, snake_case; part of the API: never renamed. */
  code: string;
  /** HTTP status when it reaches the API. */
  status: 400 | 401 | 403 | 404 | 409 | 412 | 413 | 422 | 424 | 429 | 500 | 502 | 503 | 504;
  /** What was wrong, in words for the caller. Never holds a secret: callers redact first. */
  message: string;
  /** What to do about it. */
  remedy?: string;
  /** Structured facts for the caller, e.g. `{ missing_grants: [...] }`. */
  details?: Record<string, unknown>;
  blockers?: Blocker[];
  /** For the log only. */
  cause?: unknown;
}

/** An error whose message, code and remedy are meant for the caller. */
export class PgLuthierError extends Error {
  readonly code: string;
  readonly status: PgLuthierErrorOptions['status'];
  readonly remedy: string | undefined;
  readonly details: Record<string, unknown> | undefined;
  readonly blockers: Blocker[] | undefined;

  constructor(options: PgLuthierErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PgLuthierError';
    this.code = options.code;
    this.status = options.status;
    this.remedy = options.remedy;
    this.details = options.details;
    this.blockers = options.blockers;
  }
}
