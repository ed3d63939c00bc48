/** VACUUM and ANALYZE of what a test made. */
import type pg from 'pg';

/** Without parts of partitioned tables, which come with these. */
const OWN = `SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid) AS names FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/**
 * A statement as it is to be sent: the bare `VACUUM ANALYZE` and `ANALYZE` with the names of all tables in the database.
 * Without names they go through more than a hundred catalogs, for many times as long as a test's own tables take; they
 * wait for each other in those that all databases share; and each session behind builds its relation cache anew.
 */
export async function ofOwnTables(client: pg.Client, statement: string): Promise<string> {
  if (statement !== 'VACUUM ANALYZE' && statement !== 'ANALYZE') return statement;
  const { rows } = await client.query<{ names: string | null }>(OWN);
  // With none the bare command would mean everything.
  return rows[0]?.names ? `${statement} ${rows[0].names}` : 'SELECT';
}
