import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/index/nearest-vector.ts';
import type { Snapshot } from '../../../../src/domain/index.ts';
import { contextOf, type SampleDatabase, sampleDatabase, twinOf } from './context.ts';

let database: SampleDatabase;
/** A real table, whose `embedding` is then said to be pgvector's: no server at hand has it. */
let plain: Snapshot;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE TABLE items (id int, embedding text, title text);
    INSERT INTO items SELECT g, repeat('v', 400), 'x' FROM generate_series(1, 20000) g;
    CREATE TABLE few (id int, embedding text);
    INSERT INTO few SELECT g, repeat('v', 400) FROM generate_series(1, 500) g;
  `);
  await database.query('VACUUM ANALYZE');
  plain = await database.snapshot();
});

afterAll(() => database?.close());

function withVectors(version: string, type: string): Snapshot {
  return {
    ...plain,
    server: { ...plain.server, extensions: { ...plain.server.extensions, vector: version } },
    columns: plain.columns.map((column) => (column.name === 'embedding' ? { ...column, type } : column)),
  };
}

const SEARCH = "SELECT id FROM items ORDER BY embedding <=> '[1,2,3]' LIMIT 5;";

async function found(snapshot: Snapshot, sql = SEARCH): Promise<string[]> {
  const { recommendations } = await rule.evaluate(await contextOf(snapshot, { sql }));
  return recommendations.map((each) => each.key);
}

describe('nearest vectors', () => {
  test.each([
    ['0.8.0', 'public.vector(384)', '<=>', 'hnsw (embedding vector_cosine_ops)'],
    ['0.8.0', 'public.vector(384)', '<->', 'hnsw (embedding vector_l2_ops)'],
    ['0.8.0', 'public.vector(384)', '<#>', 'hnsw (embedding vector_ip_ops)'],
    ['0.7.0', 'public.vector(384)', '<+>', 'hnsw (embedding vector_l1_ops)'],
    ['0.7.0', 'public.halfvec(3000)', '<->', 'hnsw (embedding halfvec_l2_ops)'],
    ['0.4.4', 'public.vector(384)', '<->', 'ivfflat (embedding vector_l2_ops) WITH (lists = 20)'],
  ])('pgvector %s, %s %s: %s', async (version, type, operator, index) => {
    const keys = await found(withVectors(version, type), SEARCH.replace('<=>', operator));
    expect(keys).toEqual([`finding nearest vector public.items USING ${index}`]);
  });

  test.each([
    ['without LIMIT all rows are wanted', '0.8.0', 'public.vector(384)', SEARCH.replace(' LIMIT 5', '')],
    ['more dimensions than a page takes', '0.8.0', 'public.vector(3072)', SEARCH],
    ['no dimensions declared', '0.8.0', 'public.vector', SEARCH],
    ['a type that this version cannot index', '0.6.2', 'public.halfvec(384)', SEARCH],
    ['a small table', '0.8.0', 'public.vector(384)', SEARCH.replace('items', 'few')],
  ])('not: %s', async (_, version, type, sql) => {
    expect(await found(withVectors(version, type), sql)).toEqual([]);
  });

  test('it is a labelled suggestion without costs, where the planner has no pgvector', async () => {
    const whatIf = await twinOf(plain);
    try {
      const context = await contextOf(withVectors('0.8.0', 'public.vector(384)'), {
        what_if: whatIf,
        sql: SEARCH,
      });
      const { recommendations } = await rule.evaluate(context);
      expect(recommendations).toHaveLength(1);
      const [only] = recommendations;
      expect(only?.change).toEqual({ kind: 'finding' });
      expect(only?.title).toContain('not costed');
      expect(only?.estimate).toMatchObject({ cost_before: null, cost_after: null });
      // 20,000 vectors of about 400 bytes with their neighbours.
      expect(only?.estimate.size_bytes).toBeGreaterThan(20_000 * 600);
      expect(only?.estimate.size_bytes).toBeLessThan(20_000 * 1000);
    } finally {
      await whatIf.close();
    }
  });
});
