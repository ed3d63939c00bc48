/** The replay against what can be reckoned by hand. */
import { describe, expect, test } from 'vitest';
import type { ServerParameters, TableParameters } from '../../../src/advise/autovacuum/parameters.ts';
import { simulate } from '../../../src/advise/autovacuum/simulate.ts';
import type { SimulatedTable } from '../../../src/advise/autovacuum/simulated.ts';

const SERVER: ServerParameters = {
  version: 180000,
  block_size: 8192,
  naptime_seconds: 60,
  workers: 3,
  cost: { limit: 200, delay_ms: 2, page_hit: 1, page_miss: 2, page_dirty: 20 },
  memory_bytes: 64 * 1024 ** 2,
};
const STOCK: TableParameters = {
  vacuum_threshold: 50,
  vacuum_scale_factor: 0.2,
  vacuum_max_threshold: 100_000_000,
  insert_threshold: 1000,
  insert_scale_factor: 0.2,
  analyze_threshold: 50,
  analyze_scale_factor: 0.1,
  freeze_max_age: 200_000_000,
  freeze_table_age: 150_000_000,
  freeze_min_age: 50_000_000,
  own_cost_limit: null,
  own_cost_delay_ms: null,
};

/** A million rows on 20,000 pages at rest, but for what is given. */
function table(
  rates: Partial<SimulatedTable['rates']> = {},
  parameters: Partial<TableParameters> = {},
  parts: Partial<SimulatedTable> = {},
): SimulatedTable {
  return {
    name: 't',
    rows: 1_000_000,
    pages: 20_000,
    index_pages: 3000,
    indexes: 1,
    pages_a_change: 3,
    rates: { changed: 0, dead: 0, inserted: 0, deleted: 0, ...rates },
    parameters: { ...STOCK, ...parameters },
    dead: 0,
    inserted_since_vacuum: 0,
    modified_since_analyze: 0,
    visible_share: 1,
    frozen_share: 0,
    xid_age: 0,
    ...parts,
  };
}
const only = (one: SimulatedTable, server: Partial<ServerParameters> = {}, xids = 0, days = 10) => {
  const [outcome] = simulate({
    tables: [one],
    server: { ...SERVER, ...server },
    xids_per_second: xids,
    days,
  }).tables;
  if (!outcome) throw new Error('no outcome');
  return outcome;
};

describe('one table', () => {
  test('updates fill the trigger, and the next round finds it full', () => {
    // 100 a second fill 200,050 in 2,000.5 s: found at 2,040 s; the vacuum takes 4 s and more.
    const seen = only(table({ changed: 100, dead: 100 }));
    expect(seen.vacuums_a_day).toBeGreaterThan(86_400 / 2_100);
    expect(seen.vacuums_a_day).toBeLessThan(86_400 / 2_000);
    expect(seen.dead_peak).toBeGreaterThan(204_000);
    expect(seen.dead_peak).toBeLessThan(206_000);
    expect(seen.dead_mean).toBeGreaterThan(0.45 * 204_000);
    expect(seen.dead_mean).toBeLessThan(0.55 * 204_000);
    // Nearly all pages hold a dead row by then: each run reads all of them and the index.
    expect(seen.pages_read_a_day / seen.vacuums_a_day).toBeGreaterThan(22_900);
  });

  test('a trigger a tenth as high: ten times as many runs, a tenth of the dead rows, more reading', () => {
    const before = only(table({ changed: 10, dead: 10 }));
    const after = only(table({ changed: 10, dead: 10 }, { vacuum_scale_factor: 0.02, vacuum_threshold: 5 }));
    expect(after.vacuums_a_day / before.vacuums_a_day).toBeCloseTo(10, 0);
    expect(after.dead_peak).toBeLessThan(0.12 * before.dead_peak);
    expect(after.pages_read_a_day).toBeGreaterThan(4 * before.pages_read_a_day);
  });

  test("18's max_threshold caps the trigger", () => {
    expect(only(table({ dead: 100, changed: 100 }, { vacuum_max_threshold: 10_000 })).dead_peak).toBeLessThan(
      20_000,
    );
  });

  test('inserts bring a vacuum by themselves, unless that is switched off', () => {
    const inserted = { inserted: 100 };
    expect(only(table(inserted)).vacuums_a_day).toBeGreaterThan(1);
    expect(only(table(inserted, { insert_threshold: -1 })).vacuums_a_day).toBe(0);
  });

  test('on 18 the insert trigger counts what is not frozen only; before all of it', () => {
    const frozen = table({ inserted: 5 }, {}, { frozen_share: 0.95 });
    const inADay = (version: number) => only(frozen, { version }, 0, 1).vacuums_a_day;
    expect(inADay(180000)).toBeGreaterThan(2 * inADay(170000));
  });

  test('analyze has a trigger of its own', () => {
    // 100,050 changes at 10 a second: 2.8 h.
    expect(only(table({ changed: 10, dead: 10 })).analyzes_a_day).toBeCloseTo(8.6, 0);
  });

  test('without any change it is vacuumed for its age alone', () => {
    // (200 − 50) million at 1,000 a second: 1.7 days, after a first 2.3.
    const seen = only(table(), {}, 1000, 20);
    expect(seen.forced).toBeGreaterThanOrEqual(10);
    expect(seen.forced).toBeLessThanOrEqual(11);
    expect(seen.vacuums_a_day).toBeCloseTo(seen.forced / 20, 6);
  });

  test('a lower cost limit makes for longer runs, its own limit for shorter ones', () => {
    const rates = { changed: 100, dead: 100 };
    const longest = (one: SimulatedTable, limit: number) =>
      only(one, { cost: { ...SERVER.cost, limit } }).longest_seconds;
    expect(longest(table(rates), 20) / longest(table(rates), 200)).toBeCloseTo(10, 0);
    expect(longest(table(rates, { own_cost_limit: 2000 }), 20)).toBeLessThan(longest(table(rates), 200) / 5);
  });

  test('the same input gives the same days', () => {
    const input = {
      tables: [table({ changed: 7, dead: 5, inserted: 3 })],
      server: SERVER,
      xids_per_second: 50,
      days: 5,
    };
    expect(simulate(input)).toEqual(simulate(input));
  });
});

describe('several tables', () => {
  const busy = (count: number, limit: number, workers: number) =>
    simulate({
      tables: Array.from({ length: count }, () =>
        table({ changed: 1000, dead: 1000 }, {}, { pages: 100_000, index_pages: 100_000 }),
      ),
      server: { ...SERVER, workers, cost: { ...SERVER.cost, limit } },
      xids_per_second: 0,
      days: 1,
    });

  test('more workers share the same limit: they do not do more', () => {
    const [three, twelve] = [busy(12, 200, 3), busy(12, 200, 12)];
    expect(three.busy_share).toBeGreaterThan(0.9);
    expect(twelve.units_a_day / three.units_a_day).toBeLessThan(1.2);
  });

  test('twice the limit does', () => {
    expect(busy(12, 400, 3).units_a_day / busy(12, 200, 3).units_a_day).toBeGreaterThan(1.8);
  });

  test('no more is spent than the limit allows, but for what has begun', () => {
    const { units_a_day, days } = busy(12, 200, 3);
    const begun = (3 * (200_000 * 2 + 200_000 * 20 + 100_000)) / days;
    expect(units_a_day).toBeLessThan(100_000 * 86_400 + begun);
  });

  test('tables wait where workers are few and the limit is high', () => {
    expect(busy(12, 200, 1).starved_share).toBeGreaterThan(0.5);
    expect(busy(1, 10_000, 3).starved_share).toBe(0);
  });
});
