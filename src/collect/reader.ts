/** Reading one noun so that its failure is its own: a missing right becomes a limit, a lost connection ends it all. */
import { z } from 'zod';
import { type Limit, PgLuthierError, quoteIdentifier } from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';
import { type Busy, findBusy } from './busy.ts';

const LOCK_NOT_AVAILABLE = '55P03';
const QUERY_CANCELED = '57014';
const INSUFFICIENT_PRIVILEGE = '42501';
/** A character that the database's encoding, or ours, does not have. */
const UNTRANSLATABLE = new Set(['22P05', '22021']);
/** Something vanished between two looks at the catalogs. */
const VANISHED = new Set(['42P01', 'XX000', '42704', '42883']);

/** A noun is asked for at most so often: a relation may vanish, then another may be locked. */
const ATTEMPTS = 3;

export interface Reader {
  session: TargetSession;
  limits: Limit[];
  /** Epoch ms after which no further noun is begun. */
  deadline: number;
  /** Relations that others hold exclusively, found out when a noun had to wait for one. */
  busy: Busy;
}

/** The statement's values, or how they follow from the OIDs of relations that must not be touched. */
type Parameters = readonly unknown[] | ((busy: readonly number[]) => readonly unknown[]);

/**
 * Rows of one noun, checked against its schema; on a failure that is this noun's own an empty list and a limit. Where
 * the SQL has a `$1`, it is `parameters`, or without them the OIDs of relations that must not be touched, because
 * somebody holds them.
 * @throws PgLuthierError `target_connection_lost`.
 */
export async function readNoun<T>(
  reader: Reader,
  noun: string,
  sql: string,
  schema: z.ZodType<T>,
  parameters?: Parameters,
): Promise<T[]> {
  return (await attemptNoun(reader, noun, sql, schema, parameters)) ?? [];
}

/**
 * Tables that one statement is asked about: few enough that their rows (columns with statistics: up to tens of
 * kilobytes each) sort and hash within work_mem's 4 MB or hold no more than some megabytes on either side, and that
 * no statement keeps its locks on the catalogs for long.
 */
const TABLES_AT_ONCE = 250;

/**
 * As `readNoun`, table by table group: `$1` are the OIDs that must not be touched, `$2` the tables to read. All or
 * nothing: a part would look as if the rest had been dropped.
 * @param tables OIDs; rows come in their order, group by group.
 */
export async function readNounOfTables<T>(
  reader: Reader,
  noun: string,
  sql: string,
  schema: z.ZodType<T>,
  tables: readonly number[],
): Promise<T[]> {
  const all: T[] = [];
  for (let from = 0; from < tables.length; from += TABLES_AT_ONCE) {
    const group = tables.slice(from, from + TABLES_AT_ONCE);
    const rows = await attemptNoun(reader, noun, sql, schema, (busy) => [busy, group]);
    if (rows === null) return [];
    for (const row of rows) all.push(row);
  }
  return all;
}

/** Null: not read, and a limit says why. */
async function attemptNoun<T>(
  reader: Reader,
  noun: string,
  sql: string,
  schema: z.ZodType<T>,
  parameters?: Parameters,
): Promise<T[] | null> {
  if (Date.now() > reader.deadline) {
    reader.limits.push({
      scope: noun,
      code: 'deadline_exceeded',
      message: `${noun} were left out: the time for this snapshot was used up.`,
      remedy: null,
    });
    return null;
  }
  const given = parameters ?? (sql.includes('$1') ? (busy: readonly number[]) => [busy] : []);
  const avoidsBusy = typeof given === 'function';
  for (let attempt = 1; ; attempt += 1) {
    const again = attempt < ATTEMPTS;
    try {
      const values = typeof given === 'function' ? given([...reader.busy.keys()]) : given;
      const rows = await reader.session.query(sql, [...values]);
      const parsed = z.array(schema).safeParse(rows);
      if (parsed.success) return parsed.data;
      // Functions of the catalog give null for what is dropped meanwhile: the second look no longer meets it.
      if (again) continue;
      reader.limits.push(unexpectedShape(noun, parsed.error.issues[0]));
    } catch (error) {
      if (!isOfTheNoun(error)) throw error;
      const sqlstate = error instanceof TargetQueryError ? error.sqlstate : '';
      if (again && VANISHED.has(sqlstate)) continue;
      if (again && avoidsBusy && sqlstate === LOCK_NOT_AVAILABLE) {
        for (const [oid, name] of await findBusy(reader.session)) reader.busy.set(oid, name);
        continue;
      }
      reader.limits.push(limitOf(noun, error, reader.session.role));
    }
    return null;
  }
}

function isOfTheNoun(error: unknown): error is PgLuthierError {
  return (
    error instanceof TargetQueryError ||
    (error instanceof PgLuthierError && error.code === 'target_value_unreadable')
  );
}

function unexpectedShape(noun: string, issue: z.core.$ZodIssue | undefined): Limit {
  return {
    scope: noun,
    code: 'unexpected_shape',
    message: `${noun}: the server's answer has another form than expected at ${issue?.path.join('.')}: ${issue?.message}`,
    remedy: 'This is a defect of PgLuthier for this server version: please report it.',
  };
}

function limitOf(noun: string, error: PgLuthierError, role: string): Limit {
  const sqlstate = error instanceof TargetQueryError ? error.sqlstate : null;
  if (sqlstate === INSUFFICIENT_PRIVILEGE) {
    return {
      scope: noun,
      code: 'insufficient_privilege',
      message: `${noun} cannot be read by this role: ${error.message}`,
      remedy: `GRANT pg_monitor, pg_read_all_data TO ${quoteIdentifier(role)};`,
    };
  }
  if (sqlstate === LOCK_NOT_AVAILABLE || sqlstate === QUERY_CANCELED) {
    return {
      scope: noun,
      code: 'timed_out',
      message: `${noun} could not be read in time (SQLSTATE ${sqlstate}).`,
      remedy: 'Somebody held a lock, or the server was busy; the next snapshot tries again.',
    };
  }
  if (sqlstate !== null && UNTRANSLATABLE.has(sqlstate)) {
    return {
      scope: noun,
      code: 'untranslatable',
      message: `${noun} hold characters that do not go from one encoding to the other (SQLSTATE ${sqlstate}).`,
      remedy: null,
    };
  }
  return { scope: noun, code: 'read_failed', message: `${noun}: ${error.message}`, remedy: null };
}
