import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ColumnStats, Snapshot, WorkloadQuery } from '../../src/domain/index.ts';
import { formatArrayText } from '../../src/workload/array-text.ts';
import {
  fingerprint,
  parseSql,
  sampleStatements,
  usageCatalog,
  workloadFromFiles,
} from '../../src/workload/index.ts';
import { columnStats } from '../support/rows.ts';
import { columnRow, indexRow, snapshot, tableRow } from './snapshots.ts';

const TYPES: Record<string, string> = {
  id: 'bigint',
  status: 'text',
  at: 'timestamp with time zone',
  amount: 'numeric(10,2)',
  meta: 'jsonb',
  tags: 'text[]',
  body: 'text',
  search: 'tsvector',
  key: 'uuid',
  state: 'public.state',
  email: 'public.email',
  embedding: 'public.vector(3)',
  flag: 'boolean',
};

const list = (values: readonly (string | number)[]) => formatArrayText(values.map(String));
const days = Array.from({ length: 101 }, (_, index) => new Date(Date.UTC(2025, 0, 1 + index)).toISOString());

const STATS: Record<string, Partial<ColumnStats>> = {
  id: { n_distinct: -1, histogram_bounds: list(Array.from({ length: 101 }, (_, index) => index * 100)) },
  status: {
    n_distinct: 3,
    most_common_vals: list(['done', 'new', `it's`]),
    most_common_freqs: [0.9, 0.09, 0.01],
  },
  at: { n_distinct: -1, histogram_bounds: list(days) },
  amount: {
    n_distinct: 4,
    most_common_vals: list([10, 2, 300, -5]),
    most_common_freqs: [0.4, 0.3, 0.2, 0.1],
  },
  meta: {
    n_distinct: 2,
    most_common_vals: list(['{"k": "v", "n": 3}', '{"k": "w"}']),
    most_common_freqs: [0.6, 0.4],
  },
  tags: { most_common_elems: list(['a', 'b,"c']), most_common_elem_freqs: [0.2, 0.7, 0.2, 0.7, 0] },
  body: { n_distinct: -1, histogram_bounds: list(['quick 50% fox', 'slow fox', 'the fox']) },
  search: { most_common_elems: list(['fox', 'quick']), most_common_elem_freqs: [0.9, 0.1, 0.1, 0.9] },
};

function shop(stats: Record<string, Partial<ColumnStats>> = STATS): Snapshot {
  const table = tableRow({ oid: 1, name: 'Orders', schema: 'Shop', reltuples: 10_000 });
  const base = snapshot();
  return snapshot({
    taken_at: new Date(Date.UTC(2025, 3, 12)).toISOString(),
    tables: [table],
    columns: Object.entries(TYPES).map(([name, type], index) => {
      const own = stats[name];
      const typtype = name === 'state' ? 'e' : name === 'email' ? 'd' : 'b';
      return columnRow({
        table_oid: 1,
        name,
        type,
        typtype,
        attnum: index + 1,
        stats: own ? columnStats(own) : null,
      });
    }),
    indexes: [
      indexRow({
        oid: 5,
        table_oid: 1,
        name: 'fts',
        key_attnums: [0],
        keys: [`to_tsvector('german'::regconfig, body)`],
      }),
      indexRow({
        oid: 6,
        table_oid: 1,
        name: 'k',
        key_attnums: [0],
        keys: [`(meta ->> 'secret key'::text)`],
      }),
    ],
    schema: {
      ...base.schema,
      enums: [{ schema: 'public', name: 'state', labels: ['draft', 'sent'] }],
      domains: [{ schema: 'public', name: 'email', base_type: 'text', not_null: false, checks: [] }],
    },
  });
}

async function sample(condition: string, more: Partial<WorkloadQuery> = {}, snap = shop()) {
  const sql = condition.startsWith('!')
    ? condition.slice(1)
    : `select id from "Shop"."Orders" where ${condition}`;
  const workload = await workloadFromFiles([{ name: 'q', text: sql }]);
  const [query] = workload.queries;
  if (query === undefined) throw new Error('not a query');
  const { samples, parameters } = await sampleStatements(
    { ...query, ...more },
    snap,
    await usageCatalog(snap),
  );
  return {
    samples,
    parameters,
    values: Object.fromEntries(parameters.map((each) => [each.number, each.values])),
    query,
  };
}

describe('values by what a parameter meets', () => {
  test.each<[string, Record<number, string[]>]>([
    ['status = $1', { 1: [`'done'`, `'new'`, `'it''s'`] }],
    ['$1 = status', { 1: [`'done'`, `'new'`, `'it''s'`] }],
    ['id = $1', { 1: [`'5000'`] }],
    ['id > $1', { 1: [`'9000'`, `'6700'`, `'3400'`] }],
    ['$1 > id', { 1: [`'1000'`, `'3300'`, `'6600'`] }],
    ['amount between $1 and $2', { 1: [`'10'`, `'2'`, `'2'`], 2: [`'300'`, `'10'`, `'300'`] }],
    ['id in ($1, $2, $3)', { 1: [`'5000'`], 2: [`'4900'`], 3: [`'5100'`] }],
    ['id in ($1 /*, ... */)', { 1: [`'5000', '4900', '5100'`] }],
    ['id = any ($1)', { 1: [`'{"5000","4900","5100"}'`] }],
    ['id = any (array[$1, $2])', { 1: [`'5000'::bigint`], 2: [`'4900'::bigint`] }],
    ['body like $1', { 1: [`'slow%'`, `'%quick%'`] }],
    ['body ~ $1', { 1: [`'^slow'`, `'quick'`] }],
    ['body like $1 || $2', { 1: [`'slow'`, `'quick'`], 2: [`'%'`] }],
    ['search @@ to_tsquery($1, $2)', { 1: [`'german'`], 2: [`'fox'`, `'quick'`] }],
    [
      'to_tsvector($1, body) @@ plainto_tsquery($2, $3)',
      { 1: [`'german'`], 2: [`'german'`], 3: [`'fox'`, `'the'`] },
    ],
    ['meta @> $1', { 1: [`'{"k":"v"}'`, `'{"n":3}'`] }],
    ['meta ? $1', { 1: [`'k'`] }],
    ['meta -> $1 = $2', { 1: [`'k'`] }],
    ['meta ->> $1 = $2', { 1: [`'secret key'`] }],
    ['(meta -> $1)::int > $2', { 1: [`'n'`], 2: [`'3'`] }],
    ['tags @> $1', { 1: [`E'{"b,\\\\"c"}'`, `'{"a"}'`] }],
    ['$1 = any (tags)', { 1: [`'b,"c'`, `'a'`] }],
    ['state = $1', { 1: [`'draft'`] }],
    ['email = $1', { 1: [`'x'`] }],
    ['key = $1', { 1: [`'00000000-0000-0000-0000-000000000000'`] }],
    ['lower(status) = $1', { 1: [`'done'`, `'new'`, `'it''s'`] }],
    ['upper(status) = upper($1)', { 1: [`'DONE'`, `'NEW'`, `'IT''S'`] }],
    ['at::date = $1', { 1: [`'2025-04-10'`] }],
    ['status = $1::text', { 1: [`'done'`, `'new'`, `'it''s'`] }],
    ['amount > $1::int', { 1: [`'300'`, `'10'`, `'2'`] }],
    ['at > now() - $1::interval', { 1: [`'172800 seconds'`, `'950400 seconds'`, `'4406400 seconds'`] }],
    ['$1', { 1: [`'true'`] }],
    ['mystery($1) and status = $2', { 1: ['NULL'], 2: [`'done'`, `'new'`, `'it''s'`] }],
    ['!select id from "Shop"."Orders" order by embedding <-> $1 limit $2', { 1: [`'[1,0,0]'`], 2: ['10'] }],
    ['!select id from "Shop"."Orders" limit $1 offset $2', { 1: ['10'], 2: ['0'] }],
    ['!insert into "Shop"."Orders" (id, tags) values ($1, $2)', { 1: ['NULL::bigint'], 2: ['NULL::text[]'] }],
    [
      '!update "Shop"."Orders" set status = $1, amount = amount * $2 where id = $3',
      { 1: ['NULL::text'], 2: ['1'], 3: [`'5000'`] },
    ],
  ])('%s', async (condition, expected) => {
    const { values } = await sample(condition);
    for (const [number, literals] of Object.entries(expected))
      expect(values[Number(number)]).toEqual(literals);
  });

  test('the observed rows per call make the LIMIT, and the length of a list of unique keys', async () => {
    const observed = { calls: 10, rows: 250 };
    expect(
      (await sample('!select id from "Shop"."Orders" order by at limit $1', observed)).values[1],
    ).toEqual(['25']);
    const list = (await sample('id = any ($1)', { calls: 10, rows: 70 })).values[1]?.[0];
    expect(list?.split(',')).toHaveLength(7);
  });

  test('the observed rows per call tell the rare value from the common one', async () => {
    const weights = async (rows: number) =>
      (await sample('status = $1', { calls: 10, rows })).samples.map((each) => each.weight);
    const [done = 0, , rare = 0] = await weights(1000);
    expect(rare).toBeGreaterThan(done);
    const [often = 0, , seldom = 0] = await weights(90_000);
    expect(often).toBeGreaterThan(seldom);
  });

  test('beside a key that finds its row a range passes as much of the table as of those rows', async () => {
    const reach = async (condition: string, rows: number) =>
      (await sample(condition, { calls: 100, rows })).values[2];
    const guessed = await reach('email = $1 and at > now() - $2::interval', 95);
    expect(guessed).toHaveLength(3);
    const [wide] = (await reach('id = $1 and at > now() - $2::interval', 95)) ?? [];
    const widest = guessed?.at(-1)?.match(/[0-9]+/)?.[0];
    expect(Number(wide?.match(/[0-9]+/)?.[0])).toBeGreaterThan(1.5 * Number(widest));
    // Keys that are mostly missed tell nothing of the range, nor does the key of itself.
    expect(await reach('id = $1 and at > now() - $2::interval', 20)).toEqual(guessed);
    expect(await reach('id = $1 and at > $2', 20)).toHaveLength(3);
    expect(await reach('id = $1 and at > $2', 95)).toHaveLength(1);
  });

  test('evidence names the column and the source', async () => {
    const { parameters } = await sample('status = $1 and meta ->> $2 = $3');
    expect(parameters[0]).toMatchObject({ number: 1, column: 'Shop.Orders.status', operator: '=' });
    expect(parameters[0]?.source).toContain('pg_stats');
    expect(parameters[1]?.source).toBe('expression of index k');
  });

  test('a statement without parameters is its own only sample', async () => {
    const { samples, query, parameters } = await sample(`status = 'x' and id = 3`);
    expect(samples).toEqual([
      { id: `${query.query_id}/1`, query_id: query.query_id, sql: query.query, weight: 1 },
    ]);
    expect(parameters).toEqual([]);
  });

  test('of a statement that a file has with several constants each text is a sample', async () => {
    const { samples, parameters } = await sample(
      `status = 'a'; select id from "Shop"."Orders" where status = 'b'; -- calls: 3`,
    );
    expect(parameters).toEqual([]);
    expect(samples.map(({ sql, weight }) => [sql.slice(-3), weight])).toEqual([
      ["'b'", 0.75],
      ["'a'", 0.25],
    ]);
    expect(new Set(samples.map(({ id }) => id)).size).toBe(2);
  });

  test('a table that only a schema off the search path has is qualified', async () => {
    const { samples } = await sample('!select id from "Orders" o where o.id = $1');
    expect(samples.map((each) => each.sql)).toEqual([`select id from "Shop"."Orders" o where o.id = '5000'`]);
  });

  test('texts around parameters stay as they were, whatever stands beside them', async () => {
    const { samples } = await sample(
      `!select '$1', "$2", id-$1 /* $3 */ from "Shop"."Orders" as "ü" where id=$2 and status='é' limit $3`,
    );
    expect(samples[0]?.sql).toBe(
      `select '$1', "$2", id-1 /* $3 */ from "Shop"."Orders" as "ü" where id='5000' and status='é' limit 10`,
    );
  });
});

describe('properties', () => {
  const values = fc.uniqueArray(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).filter((each) => !each.includes('\0')),
    { minLength: 1, maxLength: 8 },
  );
  const numbers = fc.uniqueArray(fc.integer({ min: -1000, max: 1000 }), { minLength: 2, maxLength: 30 });

  test('whatever the statistics hold: weights sum to 1, texts parse and are the same statement', async () => {
    await fc.assert(
      fc.asyncProperty(values, values, async (common, bounds) => {
        const snap = shop({
          status: {
            n_distinct: 50,
            most_common_vals: formatArrayText(common),
            most_common_freqs: common.map((_, index) => 0.5 / (index + 1) / common.length),
            histogram_bounds: formatArrayText(bounds),
          },
        });
        const { samples, query } = await sample(
          'status = $1 and body like $2 and status in ($3, $4) and id > $5',
          {},
          snap,
        );
        expect(samples.reduce((sum, each) => sum + each.weight, 0)).toBeCloseTo(1);
        expect(new Set(samples.map((each) => each.sql)).size).toBe(samples.length);
        for (const each of samples) {
          expect((await parseSql(each.sql)).stmts).toHaveLength(1);
          expect(await fingerprint(each.sql)).toBe(query.query_id);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('both bounds of a column are coherent: low below high', async () => {
    await fc.assert(
      fc.asyncProperty(numbers, fc.boolean(), async (unsorted, asHistogram) => {
        const sorted = [...unsorted].sort((a, b) => a - b);
        const stats: Partial<ColumnStats> = asHistogram
          ? { histogram_bounds: list(sorted) }
          : { most_common_vals: list(unsorted), most_common_freqs: unsorted.map(() => 1 / unsorted.length) };
        const { parameters } = await sample('amount >= $1 and amount < $2', {}, shop({ amount: stats }));
        const [low, high] = parameters.map((each) => each.values.map((value) => Number(value.slice(1, -1))));
        low?.forEach((value, index) => {
          expect(value).toBeLessThan(high?.[index] ?? high?.[0] ?? Number.NaN);
        });
        expect(low?.length).toBeGreaterThan(0);
      }),
      { numRuns: 60 },
    );
  });
});
