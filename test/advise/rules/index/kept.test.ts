/** Indexes that no rule may drop for their own sake, each kind on a real server, beside one of its table that may go. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule as duplicate } from '../../../../src/advise/rules/index/duplicate.ts';
import { rule as missing } from '../../../../src/advise/rules/index/missing.ts';
import { rule as unused } from '../../../../src/advise/rules/index/unused.ts';
import type { RuleResult, Snapshot, WhatIf } from '../../../../src/domain/index.ts';
import { contextOf, created, dropped, type PlannedDatabase, plannedDatabase } from './context.ts';

let planned: PlannedDatabase;
let whatIf: WhatIf;
/** Counters of sixty days without a scan, indexes large enough to be worth a look. */
let idle: Snapshot;

beforeAll(async () => {
  planned = await plannedDatabase(`
    CREATE TABLE parent (id int PRIMARY KEY);
    INSERT INTO parent SELECT generate_series(1, 1000);
    CREATE TABLE held (id int PRIMARY KEY, u int UNIQUE, span int4range, identity_ int NOT NULL, sorted int, fk int REFERENCES parent,
      twice int REFERENCES parent, either int REFERENCES parent, brin int REFERENCES parent, plain int, free int, EXCLUDE USING gist (span WITH &&));
    INSERT INTO held SELECT g, g, int4range(g, g + 1), g, g * 7919 % 3000, 1 + g % 1000, 1 + g % 1000, 1 + g % 1000, 1 + g % 1000, g * 31 % 3000, g * 31 % 3000
      FROM generate_series(1, 30000) g;
    CREATE UNIQUE INDEX held_identity ON held (identity_);
    ALTER TABLE held REPLICA IDENTITY USING INDEX held_identity;
    CREATE INDEX held_sorted ON held (sorted);
    CREATE INDEX held_sorted_again ON held (sorted);
    ALTER TABLE held CLUSTER ON held_sorted_again;
    CREATE INDEX held_fk ON held (fk);
    CREATE INDEX held_twice ON held (twice);
    CREATE INDEX held_twice_again ON held (twice);
    CREATE INDEX held_both ON held (either);
    CREATE INDEX held_both_wide ON held (either, plain);
    CREATE INDEX held_brin ON held (brin);
    CREATE INDEX held_brin_only ON held USING brin (brin);
    CREATE INDEX held_id_again ON held (id);
    CREATE INDEX held_u_again ON held (u);
    CREATE INDEX held_identity_again ON held (identity_);
    CREATE INDEX held_span_again ON held USING gist (span);
    CREATE INDEX held_plain ON held (plain);
    CREATE INDEX free_a ON held (free);
    CREATE INDEX free_a_wide ON held (free) INCLUDE (plain);
    CREATE UNIQUE INDEX free_id ON held (id, free);
    CREATE UNIQUE INDEX free_id_wide ON held (id, free) INCLUDE (plain);
    CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE INDEX parts_at ON parts (at);
  `);
  ({ whatIf } = planned);
  const { snapshot } = planned;
  const stats_reset = new Date(Date.parse(snapshot.taken_at) - 60 * 86_400_000).toISOString();
  idle = {
    ...snapshot,
    server: { ...snapshot.server, stats_reset },
    indexes: snapshot.indexes.map((index) => ({
      ...index,
      size_bytes: 2 * 1024 * 1024,
      idx_scan: 0,
      last_idx_scan: null,
    })),
  };
});

afterAll(() => planned?.close());

const codeOf = ({ rejections }: RuleResult, name: string) =>
  rejections.find(({ candidate }) => candidate === `drop public.${name}`)?.code;

describe('unused for long', () => {
  test.each([
    ['a primary key', 'held_pkey', 'backs_constraint'],
    ['a unique constraint', 'held_u_key', 'backs_constraint'],
    ['an exclusion constraint', 'held_span_excl', 'backs_constraint'],
    // PostgreSQL takes unique indexes alone for one, so that this is said first.
    ['the replica identity', 'held_identity', 'replica_identity'],
    ['what the table is clustered on', 'held_sorted_again', 'clustered'],
    ['the only one that serves a foreign key', 'held_fk', 'supports_foreign_key'],
    ['a partitioned index', 'parts_at', 'partitioned_index'],
    ['a part of one', 'parts_1_at_idx', 'part_of_partitioned_index'],
  ])('%s stays', async (_, name, code) => {
    const result = await unused.evaluate(await contextOf(idle));
    expect(codeOf(result, name)).toBe(code);
    expect(dropped(result.recommendations)).toContain('public.held_plain');
    expect(dropped(result.recommendations)).not.toContain(`public.${name}`);
  });
});

describe('two that stand in for each other', () => {
  test('of two unused ones that serve a foreign key one stays, and a block-range index stands in for none', async () => {
    const result = await unused.evaluate(await contextOf(idle));
    const gone = dropped(result.recommendations);
    expect(gone.filter((name) => name.startsWith('public.held_both'))).toEqual(['public.held_both']);
    expect(codeOf(result, 'held_both_wide')).toBe('supports_foreign_key');
    expect(codeOf(result, 'held_brin')).toBe('supports_foreign_key');
  });
  test('of two unused ones of which a plan takes either, one stays', async () => {
    const sql = 'SELECT * FROM held WHERE free = 7';
    const result = await unused.evaluate(await contextOf(idle, { what_if: whatIf, sql }));
    const gone = dropped(result.recommendations).filter((name) => name.startsWith('public.free_a'));
    expect(gone).toEqual(['public.free_a']);
    expect(codeOf(result, 'free_a_wide')).toBe('would_cost');
  });
});

describe('twice there', () => {
  const evaluate = async () =>
    duplicate.evaluate(await contextOf(idle, { what_if: whatIf, sql: 'SELECT 1' }));

  test('the copy goes, never what backs a constraint, is the replica identity or what the table is clustered on', async () => {
    const result = await evaluate();
    const gone = dropped(result.recommendations);
    expect(gone).toEqual(
      expect.arrayContaining(['public.held_id_again', 'public.held_u_again', 'public.held_identity_again']),
    );
    for (const kept of ['held_pkey', 'held_u_key', 'held_span_excl', 'held_identity', 'held_sorted_again']) {
      expect(gone).not.toContain(`public.${kept}`);
    }
  });
  test('of two that serve a foreign key one stays', async () => {
    const result = await evaluate();
    const gone = dropped(result.recommendations).filter((name) => name.startsWith('public.held_twice'));
    expect(gone).toEqual(['public.held_twice_again']);
  });
  test('the same keys with columns included are no duplicate but longer; a unique one stays beside them', async () => {
    const result = await duplicate.evaluate(
      await contextOf(
        { ...idle, indexes: idle.indexes.map((index) => ({ ...index, idx_scan: 5 })) },
        { what_if: whatIf, sql: 'SELECT plain FROM held WHERE free = 7' },
      ),
    );
    const free = result.recommendations.find(({ title }) => title.startsWith('public.free_a '));
    expect(free?.title).toBe('public.free_a is a leading part of free_a_wide');
    expect(dropped(result.recommendations)).not.toContain('public.free_a_wide');
    expect(dropped(result.recommendations)).not.toContain('public.free_id');
    expect(codeOf(result, 'free_id')).toBe('enforces_uniqueness');
    // Nobody was asked what its plans lose: it stays.
    const unasked = await duplicate.evaluate(await contextOf(planned.snapshot));
    expect(dropped(unasked.recommendations)).not.toContain('public.free_a');
  });
});

describe('a new index does all that it does', () => {
  const latest = (column: string) =>
    `-- calls: 1000\nSELECT free FROM held WHERE ${column} = 17 ORDER BY u DESC LIMIT 3;`;
  const advise = async (sql: string) =>
    missing.evaluate(await contextOf(planned.snapshot, { what_if: whatIf, sql }));

  test('what the table is clustered on stays all the same, its copy goes', async () => {
    const { recommendations } = await advise(latest('sorted'));
    expect(created(recommendations).join()).toContain('(sorted, u DESC');
    expect(dropped(recommendations)).not.toContain('public.held_sorted_again');
  });
  test('what serves a foreign key goes only in favour of one that begins with its columns', async () => {
    const { recommendations } = await advise(latest('fk'));
    const drop = recommendations.find(
      ({ change }) => change.kind === 'index.drop' && change.name === 'held_fk',
    );
    expect(drop?.change).toMatchObject({ replaced_by: [{ keys: [{ column: 'fk' }, { column: 'u' }] }] });
  });
});
