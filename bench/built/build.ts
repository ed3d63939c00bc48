/** Recommended changes made for real, as the printed statements say, and undone by their rollback. */
import type pg from 'pg';
import { buildPlan } from '../../src/apply/index.ts';
import { type IndexDefinition, quoteQualified, type RecommendationDraft } from '../../src/domain/index.ts';

/** A recommended index as it was built. */
export interface BuiltIndex {
  name: string;
  definition: IndexDefinition;
  statement: string;
  predicted_bytes: number;
  real_bytes: number;
  seconds: number;
}

/**
 * Runs each recommendation's statements in their order; indexes over expressions get their statistics then, as the
 * service does it when it applies one.
 */
export async function buildSet(
  client: pg.Client,
  recommendations: readonly RecommendationDraft[],
): Promise<BuiltIndex[]> {
  const built: BuiltIndex[] = [];
  for (const { change, estimate } of recommendations) {
    const { statements } = buildPlan(change);
    const started = performance.now();
    for (const statement of statements) await client.query(statement);
    const seconds = (performance.now() - started) / 1000;
    if (change.kind !== 'index.create') continue;
    const { index } = change;
    if (index.keys.some((key) => key.expression !== null)) {
      await client.query(`ANALYZE ${quoteQualified(index.schema, index.table)}`);
    }
    const { rows } = await client.query<{ bytes: number }>(
      'SELECT pg_relation_size($1::regclass)::float8 AS bytes',
      [quoteQualified(index.schema, index.name)],
    );
    built.push({
      name: index.name,
      definition: index,
      statement: statements.join('; '),
      predicted_bytes: estimate.size_bytes ?? 0,
      real_bytes: rows[0]?.bytes ?? 0,
      seconds,
    });
  }
  return built;
}

/** Undoes what buildSet did, the last first. */
export async function dropSet(
  client: pg.Client,
  recommendations: readonly RecommendationDraft[],
): Promise<void> {
  for (const { change } of recommendations.toReversed()) {
    for (const statement of buildPlan(change).rollback) await client.query(statement);
  }
}
