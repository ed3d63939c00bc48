/** A recommendation as files of somebody's own migration tool: for those who let nothing but it change a database. */
import { PgLuthierError } from '../domain/index.ts';
import { type MigrationFormat, renderMigration } from '../report/index.ts';
import type { Services } from './services.ts';

/** @throws PgLuthierError `no_statements` (422) for a finding. */
export async function exportMigration(
  services: Services,
  targetId: string,
  recommendationId: string,
  format: MigrationFormat,
) {
  const { title, statements, rollback } = await services.store.recommendations.get(
    targetId,
    recommendationId,
  );
  if (statements.length === 0) {
    throw new PgLuthierError({
      code: 'no_statements',
      status: 422,
      message: 'There is no SQL to write: it is for a person to act on.',
      remedy: 'Read its rationale.',
    });
  }
  return renderMigration(format, { title, statements, rollback }, services.now());
}
