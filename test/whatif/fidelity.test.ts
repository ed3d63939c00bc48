import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type IndexDefinition,
  type PlannableStatement,
  quoteIdentifier,
  quoteQualified,
  renderIndexDefinition,
  type WhatIf,
} from '../../src/domain/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { testMajors } from '../support/servers.ts';
import { shopCandidates, shopSchema, shopStatements } from './shop.ts';
import { openSource, type PlanNode, type Source, shapeOf } from './source.ts';

const asIs = { created: [], hidden: [] };
const statement = (sql: string): PlannableStatement => ({ id: sql, query_id: sql, sql, weight: 1 });
const percent = (got: number, real: number) => (100 * (got - real)) / real;
/** GIN's number of entries is in its metapage alone, which a snapshot does not have. */
const ASSUMED = new Set(['trigram', 'full_text', 'array_contains']);

describe.each(testMajors)('the twin of PostgreSQL %i', (major) => {
  let source: Source;
  let twin: WhatIf;
  beforeAll(async () => {
    const [before = '', after = ''] = shopSchema(major).split('VACUUM ANALYZE;');
    source = await openSource(major, [before, 'VACUUM ANALYZE', after]);
    twin = await openTwin(source.snapshot);
  }, 240_000);
  afterAll(async () => {
    await twin?.close();
    await source?.close();
  });

  it('is of the same major and rebuilds everything', () => {
    expect(twin.server_version.split('.')[0]).toBe(String(major));
    expect(twin.limits).toEqual([]);
  });

  // Before 17 the statistics of ranges are not in pg_stats.
  const statements = Object.entries(shopStatements).filter(([name]) => major >= 17 || name !== 'range_gist');
  it.each(statements)('plans as the real server does: %s', async (name, sql) => {
    const [answer] = await twin.costs(asIs, [statement(sql)]);
    expect(answer?.error).toBeNull();
    const real = await source.plan(sql);
    const [planned] = (await twin.explain(asIs, statement(sql))) as { Plan: PlanNode }[];
    expect(shapeOf(planned?.Plan as PlanNode)).toEqual(shapeOf(real));
    expect(Math.abs(percent(answer?.cost ?? 0, real['Total Cost']))).toBeLessThan(
      ASSUMED.has(name) ? 1 : 0.1,
    );
  });

  it.each(shopCandidates.map((item) => [item.definition.name, item] as const))(
    'foresees a real index: %s',
    async (_, { definition, sql }) => {
      const [before] = await twin.costs(asIs, [statement(sql)]);
      await source.client.query(renderIndexDefinition(definition));
      try {
        const expression = definition.keys.some((key) => key.expression !== null);
        if (expression)
          await source.client.query(`ANALYZE ${quoteQualified(definition.schema, definition.table)}`);
        const handle = await twin.addIndex(definition, await realSize(source, definition));
        const [answer] = await twin.costs({ created: [handle], hidden: [] }, [statement(sql)]);
        const real = await source.plan(sql);
        const usesReal = JSON.stringify(shapeOf(real)).includes(
          definition.table === 'event' ? 'id_kind' : definition.name,
        );
        expect(answer?.indexes.includes(handle)).toBe(usesReal);
        // An expression's statistics are derived from a few hundred values of its column: the order of magnitude holds.
        const ratio = (answer?.cost ?? 0) / real['Total Cost'];
        const factor = expression ? 4 : 1.05;
        expect(ratio).toBeGreaterThan(1 / factor);
        expect(ratio).toBeLessThan(factor);
        expect(await twin.costs(asIs, [statement(sql)])).toEqual([before]);
      } finally {
        await source.client.query(`DROP INDEX ${quoteQualified(definition.schema, definition.name)}`);
      }
    },
  );

  it('hides an existing index, and that alone', async () => {
    const sql = statement('SELECT * FROM "Shop Ü".orders WHERE customer_id = 7');
    const other = statement('SELECT * FROM public.orders WHERE customer_id = 7');
    const [with_] = await twin.costs(asIs, [sql]);
    expect(with_?.indexes).toEqual(['Shop Ü.orders_customer']);
    const [without, untouched] = await twin.costs({ created: [], hidden: ['Shop Ü.orders_customer'] }, [
      sql,
      other,
    ]);
    expect(without?.indexes).toEqual([]);
    expect(untouched?.indexes).toEqual(['public.orders_customer']);
    await source.client.query('BEGIN; DROP INDEX "Shop Ü".orders_customer');
    expect(without?.cost).toBe((await source.plan(sql.sql))['Total Cost']);
    await source.client.query('ROLLBACK');
    expect(await twin.costs(asIs, [sql])).toEqual([with_]);
  });

  it('hides a partitioned index with its parts', async () => {
    const sql = statement("SELECT * FROM event WHERE kind = 'b' ORDER BY at LIMIT 10");
    const [hidden] = await twin.costs({ created: [], hidden: ['public.event_kind'] }, [sql]);
    expect(hidden?.indexes).toEqual([]);
    await source.client.query('BEGIN; DROP INDEX event_kind');
    expect(Math.abs(percent(hidden?.cost ?? 0, (await source.plan(sql.sql))['Total Cost']))).toBeLessThan(
      0.1,
    );
    await source.client.query('ROLLBACK');
  });

  it('plans under other settings, and goes back', async () => {
    const sql = statement(shopStatements.index_only as string);
    const settings = { random_page_cost: '40', enable_indexonlyscan: 'off', work_mem: '64kB' };
    const [usual] = await twin.costs(asIs, [sql]);
    const [changed] = await twin.costs({ ...asIs, settings }, [sql]);
    await source.client.query('BEGIN');
    for (const [name, value] of Object.entries(settings))
      await source.client.query(`SET LOCAL ${name} = '${value}'`);
    expect(Math.abs(percent(changed?.cost ?? 0, (await source.plan(sql.sql))['Total Cost']))).toBeLessThan(
      0.1,
    );
    await source.client.query('ROLLBACK');
    expect(changed?.cost).not.toBe(usual?.cost);
    expect(await twin.costs(asIs, [sql])).toEqual([usual]);
  });
});

/** Size and height that CREATE INDEX gave it. */
async function realSize({ client }: Source, { schema, name, method }: IndexDefinition) {
  const { rows } = await client.query(
    `SELECT sum(relpages)::int AS pages, sum(reltuples)::float8 AS tuples,
       max(CASE WHEN $2 = 'btree' THEN (bt_metap(quote_ident(n.nspname) || '.' || quote_ident(relname))).level END)::int AS tree_height
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind = 'i' AND c.oid IN (SELECT relid FROM pg_partition_tree($1::regclass) UNION SELECT $1::regclass)`,
    [`${quoteIdentifier(schema)}.${quoteIdentifier(name)}`, method],
  );
  return rows[0];
}
