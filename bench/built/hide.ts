/** Plans as if some of the indexes were not there: an index that is not valid is one that the planner does not see. */
import type pg from 'pg';
import { planCosts } from './measure.ts';

/** Does the work while these indexes are hidden from all planners. Superusers only, and only on a server for it. */
export async function withoutIndexes<T>(
  client: pg.Client,
  names: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const mark = (valid: boolean) =>
    client.query(
      `UPDATE pg_index SET indisvalid = $1 FROM pg_class c WHERE c.oid = indexrelid AND c.relname = ANY($2)`,
      [valid, names],
    );
  await mark(false);
  try {
    return await work();
  } finally {
    await mark(true);
  }
}

/** What each index saves beside the others: the statements' plan cost without it, less that with it. */
export async function gains(
  client: pg.Client,
  names: readonly string[],
  statements: readonly { name: string; text: string }[],
): Promise<Map<string, number>> {
  const sum = (costs: Map<string, number>) => [...costs.values()].reduce((total, cost) => total + cost, 0);
  const all = sum(await planCosts(client, statements));
  const found = new Map<string, number>();
  for (const name of names) {
    const without = await withoutIndexes(client, [name], () => planCosts(client, statements));
    found.set(name, sum(without) - all);
  }
  return found;
}
