import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { existingGinShapes } from '../../src/advise/index.ts';
import {
  type GinShape,
  indexDefinitionSchema,
  type PlannableStatement,
  type WhatIf,
} from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { openSource, type Source } from './source.ts';

const asIs = { created: [], hidden: [] };
const statement = (sql: string): PlannableStatement => ({ id: sql, query_id: sql, sql, weight: 1 });
const COLUMNS = ['words', 'body', 'j'];
const STATEMENTS = [
  'SELECT * FROM d WHERE words @> ARRAY[3]',
  'SELECT * FROM d WHERE words @> ARRAY[3, 5]',
  'SELECT * FROM d WHERE words && ARRAY[3, 5, 77]',
  "SELECT * FROM d WHERE body @@ 'w3'",
  "SELECT * FROM d WHERE body @@ 'w3 & v5'",
  "SELECT * FROM d WHERE body @@ 'w3 | v5'",
  `SELECT * FROM d WHERE j @> '{"a": 5}'`,
];
const DATA = `CREATE TABLE d (id int, words int[], body tsvector, j jsonb);
  INSERT INTO d SELECT i, ARRAY[i % 50, i % 3000, i % 7], to_tsvector('simple', 'w' || i % 2000 || ' v' || i % 90 || ' x' || i), jsonb_build_object('a', i % 1000, 'b', i)
    FROM generate_series(1, 30000) AS i`;

describe.each(availableMajors())('GIN indexes in the twin of PostgreSQL %i', (major) => {
  let source: Source;
  let twins: Record<'candidate' | 'existing' | 'reckoned', WhatIf>;
  const created: string[] = [];
  const real = new Map<string, number>();
  beforeAll(async () => {
    source = await openSource(major, [DATA, 'VACUUM ANALYZE d']);
    const without = await openTwin(source.snapshot);
    const shapes = new Map<string, GinShape & { pages: number }>();
    for (const column of COLUMNS) {
      await source.client.query(`CREATE INDEX d_${column} ON d USING gin (${column})`);
      const { rows } = await source.client.query(
        `SELECT n_entry_pages::int AS entry_pages, n_data_pages::int AS data_pages, n_entries::int AS entries, (pg_relation_size($1) / 8192)::int AS pages
         FROM gin_metapage_info(get_raw_page($1, 0))`,
        [`d_${column}`],
      );
      shapes.set(column, rows[0]);
    }
    for (const sql of STATEMENTS) real.set(sql, (await source.plan(sql))['Total Cost']);
    for (const [column, { pages, ...gin }] of shapes) {
      const definition = indexDefinitionSchema.parse({
        schema: 'public',
        table: 'd',
        name: 'x',
        method: 'gin',
        keys: [{ column, expression: null }],
      });
      created.push(await without.addIndex(definition, { pages, tuples: 30_000, tree_height: null, gin }));
    }
    const again = await source.again();
    const known = new Map(
      again.indexes.map((index) => [
        index.oid,
        shapes.get(index.name.slice(2)) ?? { entry_pages: 1, data_pages: 0, entries: 1 },
      ]),
    );
    twins = {
      candidate: without,
      existing: await openTwin(again, { ginShapes: known }),
      reckoned: await openTwin(again, { ginShapes: existingGinShapes(again) }),
    };
  }, 120_000);
  afterAll(async () => {
    for (const twin of Object.values(twins ?? {})) await twin.close();
    await source?.close();
  });

  it.each([
    ['candidate', 0.1],
    ['existing', 0.1],
    // Entries are estimated there: a descent more or less.
    ['reckoned', 2],
  ] as const)('are costed as the real ones are: %s, within %d %', async (which, percent) => {
    for (const sql of STATEMENTS) {
      const configuration = which === 'candidate' ? { created, hidden: [] } : asIs;
      const [answer] = await twins[which].costs(configuration, [statement(sql)]);
      const cost = real.get(sql) ?? 0;
      const apart = (100 * Math.abs((answer?.cost ?? 0) - cost)) / cost;
      expect([sql, answer?.error, answer?.indexes.length, cost, answer?.cost, apart <= percent]).toEqual([
        sql,
        null,
        1,
        cost,
        answer?.cost,
        true,
      ]);
    }
  });
});
