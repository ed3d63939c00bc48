/** Sequences and how far they are. */
import { z } from 'zod';
import { quoteIdentifier, quoteQualified, type SequenceRow } from '../domain/index.ts';
import { TargetQueryError } from '../target/index.ts';
import { findBusy } from './busy.ts';
import { type Reader, readNoun } from './reader.ts';
import { isUndecodable } from './undecodable.ts';
import { sqlVariant } from './variants.ts';

const text = z.string();

const rowSchema = z.object({
  oid: z.number(),
  schema: text,
  name: text,
  data_type: text,
  start_value: text,
  min_value: text,
  max_value: text,
  increment_by: text,
  cycle: z.boolean(),
  /** Null: dropped meanwhile. */
  readable: z.boolean().nullable(),
  unlogged_here: z.boolean(),
  owner_table_oid: z.number().nullable(),
  owner_column: text.nullable(),
});
type Row = z.infer<typeof rowSchema>;

/**
 * Sequences that one statement reads. pg_stat_statements keeps an entry for each such statement: on most databases one.
 */
const AT_ONCE = 250;
const ATTEMPTS = 3;
const UNDEFINED_TABLE = '42P01';
const INVALID_SCHEMA = '3F000';
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * A sequence is read as a table is. pg_sequence_last_value(), and so the view pg_sequences, locks it as a writer does
 * (RowExclusiveLock) and waits behind an ALTER SEQUENCE; and a function that reads by name for each row would put an
 * entry for each sequence into pg_stat_statements where `track` is `all`.
 */
export async function readSequences(reader: Reader): Promise<SequenceRow[]> {
  const sql = sqlVariant('sequences', String(reader.session.server_version_num));
  for (let attempt = 1; ; attempt += 1) {
    const rows = await readNoun(reader, 'sequences', sql, rowSchema);
    rows.sort((a, b) => a.oid - b.oid);
    try {
      const values = await lastValues(
        reader,
        rows.filter(
          (row) => row.readable && !row.unlogged_here && !reader.busy.has(row.oid) && !isUndecodable(row),
        ),
      );
      sayWhatIsHidden(reader, rows);
      return withValues(rows, values);
    } catch (error) {
      if (!(error instanceof TargetQueryError)) throw error;
      if (attempt < ATTEMPTS && [UNDEFINED_TABLE, INVALID_SCHEMA].includes(error.sqlstate)) continue;
      if (attempt < ATTEMPTS && error.sqlstate === LOCK_NOT_AVAILABLE) {
        for (const [oid, name] of await findBusy(reader.session)) reader.busy.set(oid, name);
        continue;
      }
      reader.limits.push({
        scope: 'sequences',
        code: 'sequence_values_unread',
        message: `How far sequences are could not be read: ${error.message}`,
        remedy: null,
      });
      return withValues(rows, new Map());
    }
  }
}

async function lastValues(reader: Reader, rows: Row[]): Promise<Map<number, string | null>> {
  const values = new Map<number, string | null>();
  for (let from = 0; from < rows.length && Date.now() <= reader.deadline; from += AT_ONCE) {
    const parts = rows
      .slice(from, from + AT_ONCE)
      .map(
        ({ oid, schema, name }) =>
          `SELECT ${oid} AS oid, CASE WHEN is_called THEN last_value END::text AS last_value FROM ${quoteQualified(schema, name)}`,
      );
    const found = await reader.session.query<{ oid: number; last_value: string | null }>(
      parts.join('\nUNION ALL '),
    );
    for (const row of found) values.set(row.oid, row.last_value);
  }
  return values;
}

function withValues(rows: Row[], values: Map<number, string | null>): SequenceRow[] {
  return rows.map(({ readable: _r, unlogged_here: _u, ...row }) => ({
    ...row,
    last_value: values.get(row.oid) ?? null,
  }));
}

function sayWhatIsHidden(reader: Reader, rows: Row[]): void {
  const unlogged = rows.filter((row) => row.unlogged_here).length;
  if (unlogged > 0) {
    reader.limits.push({
      scope: 'sequences',
      code: 'sequence_values_unlogged',
      message: `How far ${unlogged} of ${rows.length} sequences are is not known here: they are unlogged, and this is a standby.`,
      remedy: null,
    });
  }
  const hidden = rows.filter((row) => row.readable === false).length;
  if (hidden === 0) return;
  reader.limits.push({
    scope: 'sequences',
    code: 'sequence_values_hidden',
    message: `How far ${hidden} of ${rows.length} sequences are is hidden: that takes SELECT on them.`,
    remedy: `GRANT pg_read_all_data TO ${quoteIdentifier(reader.session.role)};`,
  });
}
