/** Reading one noun so that its failure is its own: a missing right becomes a limit, a lost connection ends it all. */
import { z } from 'zod';
import { type Limit, PgLuthierError } from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';

/** SQLSTATEs of a relation that somebody holds exclusively, or that takes too long. */
const LOCK_NOT_AVAILABLE = '55P03';
const QUERY_CANCELED = '57014';
const INSUFFICIENT_PRIVILEGE = '42501';
/** Something vanished between two looks at the catalogs. */
const VANISHED = new Set(['42P01', 'XX000', '42704', '42883']);

export interface Reader {
  session: TargetSession;
  limits: Limit[];
  /** Epoch ms after which no further noun is begun. */
  deadline: number;
}

/** Whether an error means that waiting for a lock or a time limit ended the statement. */
export function timedOut(error: unknown): boolean {
  return error instanceof TargetQueryError && [LOCK_NOT_AVAILABLE, QUERY_CANCELED].includes(error.sqlstate);
}

/**
 * Rows of one noun, checked against its schema; on a failure that is this noun's own an empty list and a limit.
 * @throws PgLuthierError `target_connection_lost`.
 */
export async function readNoun<T>(
  reader: Reader,
  noun: string,
  sql: string,
  schema: z.ZodType<T>,
): Promise<T[]> {
  if (Date.now() > reader.deadline) {
    reader.limits.push({
      scope: noun,
      code: 'deadline_exceeded',
      message: `${noun} were left out: the time for this snapshot was used up.`,
      remedy: null,
    });
    return [];
  }
  let rows: object[];
  try {
    rows = await readTwice(reader, sql);
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    reader.limits.push(limitOf(noun, error));
    return [];
  }
  const parsed = z.array(schema).safeParse(rows);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new PgLuthierError({
    code: 'collect_unexpected_shape',
    status: 502,
    message: `${noun}: the server's answer has another form than expected at ${issue?.path.join('.')}: ${issue?.message}`,
    remedy: 'This is a defect of PgLuthier for this server version: please report it.',
  });
}

/** A relation dropped while the statement ran makes it fail once; the second look no longer meets it. */
async function readTwice(reader: Reader, sql: string): Promise<object[]> {
  try {
    return await reader.session.query(sql);
  } catch (error) {
    if (!(error instanceof TargetQueryError) || !VANISHED.has(error.sqlstate)) throw error;
    return reader.session.query(sql);
  }
}

function limitOf(noun: string, error: TargetQueryError): Limit {
  if (error.sqlstate === INSUFFICIENT_PRIVILEGE) {
    return {
      scope: noun,
      code: 'insufficient_privilege',
      message: `${noun} cannot be read by this role.`,
      remedy:
        'GRANT pg_monitor, pg_read_all_data to the role; `pgluthier doctor` gives the exact statements.',
    };
  }
  if (timedOut(error)) {
    return {
      scope: noun,
      code: 'timed_out',
      message: `${noun} could not be read in time (SQLSTATE ${error.sqlstate}).`,
      remedy: 'Somebody held a lock, or the server was busy; the next snapshot tries again.',
    };
  }
  return { scope: noun, code: 'read_failed', message: `${noun}: ${error.message}`, remedy: null };
}
