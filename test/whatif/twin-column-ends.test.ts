/** Ranges near and past the ends of histograms: what the planner finds at the ends of an index, and the twin's is empty. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlannableStatement, WhatIf } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { testMajors } from '../support/servers.ts';
import { openSource, type PlanNode, type Source, shapeOf } from './source.ts';

const majors = availableMajors().includes(14) && !testMajors.includes(14) ? [14, ...testMajors] : testMajors;
const asIs = { created: [], hidden: [] };

describe.each(majors)('ends of columns in the twin of PostgreSQL %i', (major) => {
  let source: Source;
  let twin: WhatIf;
  beforeAll(async () => {
    source = await openSource(major, [
      `CREATE TABLE event (id int PRIMARY KEY, at timestamptz, kind int, grade text, v int) WITH (autovacuum_enabled = off);
       INSERT INTO event SELECT i, '2026-01-01'::timestamptz + i * interval '1 minute', i % 1000, 'grade ' || i % 900, i % 77 FROM generate_series(1, 40000) AS i;
       CREATE INDEX event_at ON event (at); CREATE INDEX event_kind ON event (kind DESC); CREATE INDEX event_grade ON event (grade);
       CREATE TABLE still (id int PRIMARY KEY, kind int, grade text COLLATE "C", amount numeric(10,2)) WITH (autovacuum_enabled = off);
       INSERT INTO still SELECT i, i % 1000, 'grade ' || i % 1000, (i % 1000) / 4.0 FROM generate_series(1, 20000) AS i;
       CREATE INDEX still_kind ON still (kind); CREATE INDEX still_grade ON still (grade); CREATE INDEX still_amount ON still (amount)`,
      'VACUUM ANALYZE',
      // Known to the statistics once the session has been idle, or at its end.
      'SELECT pg_sleep(1.1)',
      'SELECT 1',
      'ANALYZE still',
      "INSERT INTO event SELECT i, '2026-01-01'::timestamptz + i * interval '1 minute', i % 1000, 'grade', 1 FROM generate_series(40001, 52000) AS i",
      'DELETE FROM event WHERE id < 2000',
      'SELECT pg_sleep(1.1)',
      'SELECT 1',
    ]);
    twin = await openTwin(source.snapshot);
  }, 120_000);
  afterAll(async () => {
    await twin?.close();
    await source?.close();
  });

  const compare = async (sql: string) => {
    const statement: PlannableStatement = { id: sql, query_id: sql, sql, weight: 1 };
    const [answer] = await twin.costs(asIs, [statement]);
    const [planned] = (await twin.explain(asIs, statement)) as { Plan: PlanNode }[];
    const real = await source.plan(sql);
    expect([sql, shapeOf(planned?.Plan as PlanNode), planned?.Plan['Plan Rows']]).toEqual([
      sql,
      shapeOf(real),
      real['Plan Rows'],
    ]);
    expect(answer?.cost).toBe(real['Total Cost']);
  };

  it('were collected', () => {
    const ends = Object.fromEntries(
      source.snapshot.columns.flatMap((column) =>
        column.table === 'event' && column.ends ? [[column.name, column.ends]] : [],
      ),
    );
    expect(ends).toEqual({
      id: { min: '2000', max: '52000' },
      at: { min: '2026-01-02 09:20:00+00', max: '2026-02-06 02:40:00+00' },
      kind: { min: '0', max: '999' },
    });
  });

  it.each([
    "SELECT * FROM event WHERE at > '2026-02-05 20:00+00'",
    "SELECT * FROM event WHERE at > '2026-01-29 00:00+00' ORDER BY at LIMIT 10",
    "SELECT * FROM event WHERE at < '2026-01-02 12:00+00'",
    'SELECT * FROM event WHERE id > 51000 AND v < 10',
    'SELECT count(*) FROM event WHERE id < 1990',
    'SELECT * FROM event WHERE kind > 995',
  ])('past the histogram: %s', async (sql) => {
    await compare(sql);
  });

  it.each([
    'SELECT * FROM still WHERE kind < 3',
    'SELECT * FROM still WHERE kind <= 5',
    'SELECT * FROM still WHERE kind < 30',
    'SELECT * FROM still WHERE kind > 995',
    'SELECT * FROM still WHERE amount < 3',
    'SELECT * FROM still WHERE amount > 248.5',
  ])('within the outermost bins, beside the most common values: %s', async (sql) => {
    await compare(sql);
  });
});
