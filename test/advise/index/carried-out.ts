/** Advice carried out on a real server, and taken back: what statements read with it. */
import type pg from 'pg';
import { type RecommendationDraft, renderIndexDefinition } from '../../../src/domain/index.ts';

/** What a statement reads when it runs (blocks), and what the server's planner says of it (planner cost units). */
export interface Read {
  blocks: number;
  cost: number;
}

export async function readBy(client: pg.Client, sql: string): Promise<Read> {
  const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${sql}`);
  const plan = rows[0]['QUERY PLAN'][0].Plan;
  return { blocks: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'], cost: plan['Total Cost'] };
}

/** With the advised indexes, which are gone afterwards. */
export async function withIndexes<T>(
  client: pg.Client,
  drafts: readonly Pick<RecommendationDraft, 'change'>[],
  use: () => Promise<T>,
): Promise<T> {
  await client.query('BEGIN');
  try {
    for (const { change } of drafts) {
      if (change.kind === 'index.create') await client.query(renderIndexDefinition(change.index));
    }
    return await use();
  } finally {
    await client.query('ROLLBACK');
  }
}
