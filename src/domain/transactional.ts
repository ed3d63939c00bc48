/** Which of the statements that changes are rendered to PostgreSQL refuses inside of a transaction block. */

/**
 * CONCURRENTLY, VACUUM and ALTER SYSTEM (PreventInTransactionBlock() of PostgreSQL's source). Meant for statements that
 * `renderChange` wrote: the word stands where the grammar has it, never within a name.
 */
export function isTransactional(sql: string): boolean {
  return !/^(CREATE (UNIQUE )?INDEX CONCURRENTLY |DROP INDEX CONCURRENTLY |REINDEX INDEX CONCURRENTLY |VACUUM\b|ALTER SYSTEM )/.test(
    sql,
  );
}
