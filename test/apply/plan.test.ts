/** From a change to its SQL and its hash. */
import { describe, expect, it } from 'vitest';
import { buildPlan, renderChange } from '../../src/apply/index.ts';
import { type Change, changeSchema } from '../../src/domain/index.ts';
import { createIndexChange } from './target.ts';

const drop = (name: string, definition: string): Change => ({
  kind: 'index.drop',
  schema: 'S',
  table: 't',
  name,
  definition,
});

describe('an index', () => {
  it('is built and dropped CONCURRENTLY, with every name quoted', () => {
    expect(renderChange(createIndexChange())).toEqual({
      statements: ['CREATE INDEX CONCURRENTLY "Größe Idx" ON "Shöp"."Order Items" USING btree ("Größe")'],
      rollback: ['DROP INDEX CONCURRENTLY "Shöp"."Größe Idx"'],
    });
  });

  it('that is dropped is built again from its own definition', () => {
    expect(
      renderChange(drop('CREATE INDEX', 'CREATE UNIQUE INDEX "CREATE INDEX" ON "S".t USING btree (a)')),
    ).toEqual({
      statements: ['DROP INDEX CONCURRENTLY "S"."CREATE INDEX"'],
      rollback: ['CREATE UNIQUE INDEX CONCURRENTLY "CREATE INDEX" ON "S".t USING btree (a)'],
    });
  });

  it.each([
    ['another name', 'CREATE INDEX b ON "S".t USING btree (a)'],
    ['a partitioned table', 'CREATE INDEX a ON ONLY "S".t USING btree (a)'],
    ['another statement', 'DROP TABLE t; CREATE INDEX a ON "S".t USING btree (a)'],
    ['nothing', ''],
  ])('whose definition is of %s has no way back and is refused', (_, definition) => {
    expect(() => renderChange(drop('a', definition))).toThrow(
      expect.objectContaining({ code: 'index_definition_unreadable' }),
    );
  });
});

it('a setting and its way back are literals', () => {
  expect(
    renderChange({
      kind: 'setting',
      name: 'pg_stat_statements.track',
      value: "a'b",
      current_value: 'top',
      context: 'superuser',
    }),
  ).toEqual({
    statements: ["ALTER SYSTEM SET pg_stat_statements.track = 'a''b'", 'SELECT pg_reload_conf()'],
    rollback: ["ALTER SYSTEM SET pg_stat_statements.track = 'top'", 'SELECT pg_reload_conf()'],
  });
});

it('storage parameters go back to what they were, or to none', () => {
  expect(
    renderChange({
      kind: 'table.reloptions',
      schema: 's',
      table: 'T',
      set: { fillfactor: '80', 'toast.autovacuum_enabled': 'yes' },
      previous: { fillfactor: '90', 'toast.autovacuum_enabled': null },
    }),
  ).toEqual({
    statements: [`ALTER TABLE s."T" SET (fillfactor = 80, toast.autovacuum_enabled = 'yes')`],
    rollback: [
      'ALTER TABLE s."T" SET (fillfactor = 90)',
      'ALTER TABLE s."T" RESET (toast.autovacuum_enabled)',
    ],
  });
});

it('storage parameters are taken off, of several partitions in one plan, each with its own way back', () => {
  expect(
    renderChange({
      kind: 'table.reloptions',
      schema: 's',
      table: 'a',
      set: { fillfactor: '80' },
      reset: ['autovacuum_vacuum_threshold'],
      previous: { fillfactor: null, autovacuum_vacuum_threshold: '7' },
      others: [
        { schema: 's', table: 'B', previous: { fillfactor: '90', autovacuum_vacuum_threshold: null } },
      ],
    }),
  ).toEqual({
    statements: [
      'ALTER TABLE s.a SET (fillfactor = 80)',
      'ALTER TABLE s.a RESET (autovacuum_vacuum_threshold)',
      'ALTER TABLE s."B" SET (fillfactor = 80)',
      'ALTER TABLE s."B" RESET (autovacuum_vacuum_threshold)',
    ],
    rollback: [
      'ALTER TABLE s.a SET (autovacuum_vacuum_threshold = 7)',
      'ALTER TABLE s.a RESET (fillfactor)',
      'ALTER TABLE s."B" SET (fillfactor = 90)',
      'ALTER TABLE s."B" RESET (autovacuum_vacuum_threshold)',
    ],
  });
});

it('VACUUM has no way back, and needs none', () => {
  const vacuum = { kind: 'vacuum', schema: 's', table: 'T', freeze: false, analyze: false } as const;
  expect(renderChange(vacuum)).toEqual({ statements: ['VACUUM (TRUNCATE false) s."T"'], rollback: [] });
  expect(renderChange({ ...vacuum, freeze: true, analyze: true }).statements).toEqual([
    'VACUUM (FREEZE, ANALYZE, TRUNCATE false) s."T"',
  ]);
});

describe('the hash of a plan', () => {
  it('does not depend on the order of keys', () => {
    const index = createIndexChange();
    const reversed = JSON.parse(JSON.stringify(index), (_, value: unknown) =>
      value !== null && typeof value === 'object' && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).reverse())
        : value,
    ) as Change;
    expect(JSON.stringify(reversed)).not.toBe(JSON.stringify(index));
    expect(buildPlan(reversed).plan_hash).toBe(buildPlan(index).plan_hash);
  });

  it('changes with anything in it', () => {
    const hashes = [
      createIndexChange(),
      createIndexChange({ name: 'other' }),
      createIndexChange({ where: 'true' }),
      createIndexChange({ unique: true }),
    ].map((change) => buildPlan(change).plan_hash);
    expect(new Set(hashes).size).toBe(4);
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  it('of a role’s setting is what it was before databases’ settings were a kind: what was approved stays so', () => {
    // As the store has it of then: the three columns of JSON that were hashed.
    const kept =
      '{"kind":"role.setting","role":"Weekly reports","name":"work_mem","value":"64MB","current_value":"4MB","previous":null}';
    const plan = buildPlan(changeSchema.parse(JSON.parse(kept)));
    expect(plan.statements).toEqual([`ALTER ROLE "Weekly reports" SET work_mem = '64MB'`]);
    expect(plan.plan_hash).toBe('2c40469715ac3f12a2b073d68724f162ac98dc2452101bcd35545f52f4a8580f');
  });
});
