import { describe, expect, test } from 'vitest';
import type { ExtendedStatistics, Snapshot, WorkloadQuery } from '../../src/domain/index.ts';
import { formatArrayText } from '../../src/workload/array-text.ts';
import { sampleStatements, usageCatalog, workloadFromFiles } from '../../src/workload/index.ts';
import { parseTime, quantile } from '../../src/workload/quantiles.ts';
import { columnStats } from '../support/rows.ts';
import { columnRow, snapshot, tableRow } from './snapshots.ts';

const ROWS = 1_000_000;
const list = (values: readonly (string | number)[]) => formatArrayText(values.map(String));
const numbers = Array.from({ length: 101 }, (_, index) => index * 10_000);
/** A hundred days until the snapshot, and a hundred days of long ago. */
const days = (until: number) =>
  Array.from({ length: 101 }, (_, index) => new Date(until - (100 - index) * 86_400_000).toISOString());
const TAKEN = Date.UTC(2025, 3, 12);

function shop(extended: ExtendedStatistics[] = []): Snapshot {
  const table = tableRow({ oid: 1, name: 'orders', reltuples: ROWS });
  const stats = {
    id: { n_distinct: -1, histogram_bounds: list(numbers) },
    customer: { n_distinct: 10_000, histogram_bounds: list(numbers) },
    status: {
      n_distinct: 3,
      most_common_vals: list(['done', 'new', 'odd']),
      most_common_freqs: [0.9, 0.0999, 0.0001],
    },
    city: { n_distinct: 2, most_common_vals: list(['Bern', 'Rome']), most_common_freqs: [0.6, 0.4] },
    country: { n_distinct: 2, most_common_vals: list(['CH', 'IT']), most_common_freqs: [0.6, 0.4] },
    at: { n_distinct: -1, histogram_bounds: list(days(TAKEN)) },
    born: {
      n_distinct: -1,
      histogram_bounds: list(days(Date.UTC(1990, 0, 1)).map((day) => day.slice(0, 10))),
    },
  };
  const types: Record<string, string> = {
    at: 'timestamp with time zone',
    born: 'date',
    id: 'bigint',
    customer: 'bigint',
  };
  const base = snapshot();
  return snapshot({
    taken_at: new Date(TAKEN).toISOString(),
    tables: [table],
    columns: Object.entries(stats).map(([name, each], index) =>
      columnRow({
        table_oid: 1,
        name,
        type: types[name] ?? 'text',
        attnum: index + 1,
        stats: columnStats(each),
      }),
    ),
    schema: { ...base.schema, extended_statistics: extended },
  });
}

const places: ExtendedStatistics = {
  oid: 9,
  schema: 'public',
  name: 'places',
  table_oid: 1,
  definition: '',
  columns: ['city', 'country', 'status'],
  expressions: [],
  kinds: ['m'],
  stattarget: null,
  data: {
    inherited: false,
    n_distinct: null,
    dependencies: null,
    most_common_vals: [
      ['Bern', 'CH', 'done'],
      ['Rome', 'IT', 'done'],
      ['Bern', 'CH', 'new'],
      [null, 'IT', 'odd'],
    ],
    most_common_freqs: [0.5, 0.4, 0.0999, 0.0001],
    most_common_base_freqs: [0.3, 0.2, 0.05, 0.0001],
    expressions: [],
  },
};

async function sample(
  sql: string,
  observed: number | null,
  snap = shop(),
  more: Partial<WorkloadQuery> = {},
) {
  const { queries } = await workloadFromFiles([{ name: 'q', text: sql }]);
  const [query] = queries;
  if (query === undefined) throw new Error('not a query');
  const seen = observed === null ? {} : { calls: 100, rows: observed * 100, total_exec_time_ms: 5 };
  const result = await sampleStatements({ ...query, ...seen, ...more }, snap, await usageCatalog(snap));
  return { ...result, values: result.parameters.map((each) => each.values) };
}

const number = (literal: string | undefined) => Number(literal?.slice(1, -1));

describe('the observed rows per call', () => {
  test('make the width of a band: as many of the rows lie between its bounds', async () => {
    const { values, parameters } = await sample('select * from orders where id between $1 and $2', 2500);
    expect(values).toHaveLength(2);
    expect(number(values[1]?.[0]) - number(values[0]?.[0])).toBeCloseTo(2500, -1);
    expect(parameters[0]?.source).toContain('0.25% of the rows');
    expect(parameters[0]?.source).toContain('observed rows per call');
  });

  test('make the width of a half-open range, at the newest end for times', async () => {
    const { values } = await sample('select * from orders where at > $1', 1000);
    // A thousandth of a hundred days.
    expect(TAKEN - Date.parse(values[0]?.[0]?.slice(1, -1) ?? '')).toBeCloseTo(8_640_000, -4);
    const { values: low } = await sample('delete from orders where id < $1', 50);
    expect(number(low[0]?.[0])).toBe(50);
  });

  test('tell nothing where a LIMIT or a group decides them', async () => {
    const assumed = (await sample('select * from orders where id < $1', null)).values;
    for (const sql of [
      'select * from orders where id < $1 limit 10',
      'select count(*) from orders where id < $1',
      'select status from orders where id < $1 group by status',
      'select distinct status from orders where id < $1',
    ]) {
      expect((await sample(sql, 1)).values[0]).toEqual(assumed[0]);
    }
  });

  test('make the length of an array, by the rows of each value', async () => {
    const elements = async (sql: string, rows: number) =>
      (await sample(sql, rows)).values[0]?.[0]?.split('","').length;
    expect(await elements('select * from orders where id = any ($1)', 40)).toBe(40);
    expect(await elements('select * from orders where customer = any ($1)', 700)).toBe(7);
  });

  test('prefer the rare value where a common one would find 100,000 rows', async () => {
    const weightOf = async (rows: number, value: string) => {
      const { samples, parameters } = await sample('select * from orders where status = $1', rows);
      expect(parameters[0]?.source).toContain('observed rows per call');
      return samples.find((each) => each.sql.includes(value))?.weight ?? 0;
    };
    expect(await weightOf(100, 'odd')).toBeGreaterThan(0.95);
    expect(await weightOf(900_000, 'done')).toBeGreaterThan(0.6);
  });

  test('with other conditions beside, only values that find too little are implausible', async () => {
    const { samples } = await sample('select * from orders where status = $1 and id > $2', 50_000);
    const weight = (value: string) => samples.find((each) => each.sql.includes(value))?.weight ?? 0;
    expect(weight('odd')).toBeLessThan(0.05);
    expect(weight('done')).toBeGreaterThan(weight('odd'));
  });
});

describe('combinations', () => {
  test('of columns that extended statistics know: values that occur together', async () => {
    const snap = shop([places]);
    const { samples, parameters } = await sample(
      'select * from orders where city = $1 and country = $2',
      null,
      snap,
    );
    expect(samples.map((each) => each.sql)).toEqual([
      `select * from orders where city = 'Bern' and country = 'CH'`,
      `select * from orders where city = 'Rome' and country = 'IT'`,
    ]);
    expect(samples[0]?.weight).toBeGreaterThan(samples[1]?.weight ?? 1);
    expect(samples.reduce((sum, each) => sum + each.weight, 0)).toBeCloseTo(1);
    expect(parameters[0]?.source).toContain('extended statistics public.places');
  });

  test('weigh by what the combination finds, not by the product', async () => {
    const { samples } = await sample(
      'select * from orders where city = $1 and country = $2 and status = $3',
      100_000,
      shop([places]),
    );
    const [likely] = [...samples].sort((a, b) => b.weight - a.weight);
    expect(likely?.sql).toContain(`'new'`);
  });

  test('of two mentions of a table are not mixed', async () => {
    const { samples } = await sample(
      'select 1 from orders a, orders b where a.city = $1 and b.country = $2',
      null,
      shop([places]),
    );
    expect(samples.length).toBeGreaterThan(0);
    for (const { sql } of samples) expect(sql).not.toContain('null');
  });
});

describe('time', () => {
  test('rows that are appended are asked for when they are new; others at any age', async () => {
    const at = (await sample('select * from orders where at = $1', null)).values[0]?.[0] ?? '';
    expect(TAKEN - Date.parse(at.slice(1, -1))).toBeLessThanOrEqual(3 * 86_400_000);
    const born = (await sample('select * from orders where born > $1', null)).values[0]?.[0] ?? '';
    expect(born).toBe(`'1989-12-22'`);
    const birthday = (await sample('select * from orders where born = $1', null)).values[0]?.[0] ?? '';
    expect(Date.parse(birthday.slice(1, -1))).toBeLessThan(Date.UTC(1989, 10, 20));
  });

  test.each([
    ['2025-01-01 00:00:00+00', Date.UTC(2025, 0, 1)],
    ['2025-01-01 02:00:00.5+02', Date.UTC(2025, 0, 1, 0, 0, 0, 500)],
    ['2025-01-01 00:00:00-03:30', Date.UTC(2025, 0, 1, 3, 30)],
    ['2025-01-01 00:00:00', Date.UTC(2025, 0, 1)],
    ['2025-01-01', Date.UTC(2025, 0, 1)],
    ['infinity', Number.NaN],
  ])('%s is read as PostgreSQL means it', (text, expected) => {
    expect(parseTime(text)).toBe(expected);
  });

  test('quantiles lie between the bounds only where the type allows', () => {
    expect(quantile(['0', '10'], 0.25, 'number')).toBe('2.5');
    expect(quantile(['0', '10'], 0.25, 'integer')).toBe('3');
    expect(quantile(['NaN', '10'], 0.25, 'number')).toBe('NaN');
    expect(quantile(['9007199254740993', '9007199254740999'], 0.4, 'integer')).toBe('9007199254740993');
    expect(quantile(['2025-01-01', 'infinity'], 0.4, 'date')).toBe('2025-01-01');
    expect(quantile(['a', 'b'], 0.4)).toBe('a');
  });
});

describe('what a comparison comes to', () => {
  test.each([
    ['id >= $1 and id < $2 + $3', [[`'450000'`], [`('550000'::bigint)`], ['0']]],
    [
      'born >= $1::date and born < $2::date + $3::interval month',
      [[`'1989-11-07'`], [`('1989-11-17'::date)`], [`'0'`]],
    ],
    ['id between $1 - $2 and $3 * $4', [[`('450000'::bigint)`], ['0'], [`('550000'::bigint)`], ['1']]],
    ['at > now() - $1::interval day', [[`'1'`, `'3'`]]],
    ['($1 is null or status = $2)', [[`'x'`], [`'done'`, `'new'`, `'odd'`]]],
    ['status = cast($1::text as text)', [[`'done'`, `'new'`, `'odd'`]]],
  ])('%s', async (condition, expected) => {
    const { values } = await sample(`select * from orders where ${condition}`, null);
    expect(values.map((each, index) => each.slice(0, expected[index]?.length))).toEqual(expected);
  });
});
