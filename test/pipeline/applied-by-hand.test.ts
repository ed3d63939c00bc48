import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change, IndexKey } from '../../src/domain/index.ts';
import { collectTarget, verifyAllApplied } from '../../src/pipeline/index.ts';
import { type Advised, advised } from './advised.ts';

const SCHEMA = `CREATE EXTENSION pg_stat_statements;
CREATE TABLE items (id int, owner int, "Note" text);
CREATE INDEX items_old ON items (owner, id);
CREATE INDEX items_renamed ON items (owner, "Note");
CREATE INDEX items_there ON items (id);
CREATE TABLE kept (id int, a int, b int);
ALTER TABLE kept SET (autovacuum_enabled = off);
INSERT INTO kept SELECT i, i % 10, i % 10 FROM generate_series(1, 2000) i;
CREATE TABLE tree (id int, a int) PARTITION BY RANGE (id);
CREATE TABLE tree_low PARTITION OF tree FOR VALUES FROM (0) TO (100) PARTITION BY LIST (a);
CREATE TABLE tree_low_1 PARTITION OF tree_low FOR VALUES IN (1);
CREATE TABLE tree_high PARTITION OF tree FOR VALUES FROM (100) TO (200);
CREATE TABLE half (LIKE tree) PARTITION BY RANGE (id);
CREATE TABLE half_low PARTITION OF half FOR VALUES FROM (0) TO (100);
CREATE TABLE half_high PARTITION OF half FOR VALUES FROM (100) TO (200);
INSERT INTO tree SELECT i, 1 FROM generate_series(0, 199) i; INSERT INTO half TABLE tree;
CREATE INDEX kept_plain ON kept (a);
CREATE INDEX kept_live ON kept (b);
CREATE INDEX kept_alone ON kept (id);`;

const key = (over: Partial<IndexKey>): IndexKey => ({
  column: null,
  expression: null,
  opclass: null,
  collation: null,
  direction: 'asc',
  nulls: null,
  ...over,
});
const create = (name: string, keys: IndexKey[], where: string | null = null): Change => ({
  kind: 'index.create',
  index: {
    schema: 'public',
    table: 'items',
    name,
    method: 'btree',
    unique: false,
    keys,
    include: [],
    where,
    options: {},
  },
});
const drop = (name: string, keys: string): Change => ({
  kind: 'index.drop',
  schema: 'public',
  table: 'items',
  name,
  definition: `CREATE INDEX ${name} ON public.items USING btree (${keys})`,
});

describe.each([15, 18])('changes made by hand on PostgreSQL %i', (major) => {
  let at: Advised;
  beforeAll(async () => {
    at = await advised(major, SCHEMA);
    await at.client.query(
      'DO $$ BEGIN CREATE ROLE by_hand_role; EXCEPTION WHEN duplicate_object THEN NULL; END $$',
    );
    await at.client.query('ALTER ROLE by_hand_role RESET ALL');
    await at.client.query('ALTER SYSTEM RESET from_collapse_limit');
    await at.client.query('SELECT pg_reload_conf()');
  });
  afterAll(() => at?.close());
  const look = () => collectTarget(at.service.services, at.targetId);
  const verify = () => verifyAllApplied(at.service.services, at.targetId);

  it('are recognised kind by kind, recorded as by hand, and verified; what only looks like them is not', async () => {
    const database = String(await at.value('SELECT current_database()'));
    const asked: Record<string, Change> = {
      create: create(
        'items_new',
        [
          key({ expression: 'lower("Note")', opclass: 'text_pattern_ops' }),
          key({ column: 'id', direction: 'desc' }),
        ],
        'owner > 5',
      ),
      drop: drop('items_old', 'owner, id'),
      setting: {
        kind: 'setting',
        name: 'from_collapse_limit',
        value: '11',
        current_value: '8',
        context: 'user',
      },
      role: {
        kind: 'role.setting',
        role: 'by_hand_role',
        name: 'work_mem',
        value: '8MB',
        current_value: '4MB',
        previous: null,
      },
      database: {
        kind: 'database.setting',
        database,
        name: 'work_mem',
        value: '16MB',
        current_value: '4MB',
        previous: null,
      },
      options: {
        kind: 'table.reloptions',
        schema: 'public',
        table: 'items',
        set: { autovacuum_vacuum_scale_factor: '0.02' },
        previous: { autovacuum_vacuum_scale_factor: null },
      },
      approved: create('items_approved', [key({ column: 'Note' })]),
      // Traps.
      role_in_database: {
        kind: 'role.database.setting',
        role: 'by_hand_role',
        database,
        name: 'work_mem',
        value: '8MB',
        current_value: '4MB',
        previous: null,
      },
      other_class: create('items_class', [key({ column: 'Note', opclass: 'text_pattern_ops' })]),
      other_order: create('items_order', [key({ column: 'id', direction: 'desc' })]),
      renamed: drop('items_renamed', 'owner, "Note"'),
      there_before: create('items_more', [key({ column: 'id' })]),
      half: {
        kind: 'table.reloptions',
        schema: 'public',
        table: 'items',
        set: { autovacuum_vacuum_scale_factor: '0.02', fillfactor: '80' },
        previous: { autovacuum_vacuum_scale_factor: null, fillfactor: null },
      },
    };
    await look();
    for (const [id, change] of Object.entries(asked)) await at.propose(id, change);
    const hash = (await at.service.ask('GET', `${at.base}/recommendations/approved`)).body.plan_hash;
    await at.service.ask('POST', `${at.base}/recommendations/approved/approve`, { plan_hash: hash });
    const before = await look();
    expect(await verify()).toEqual({ judged: 0 });
    for (const statement of [
      'CREATE INDEX "By Hand" ON items (lower("Note") text_pattern_ops, id DESC) WHERE owner > 5',
      'DROP INDEX items_old',
      'ALTER SYSTEM SET from_collapse_limit = 11',
      'SELECT pg_reload_conf()',
      "ALTER ROLE by_hand_role SET work_mem = '8192kB'",
      `ALTER DATABASE "${database}" SET work_mem = '16384kB'`,
      'ALTER TABLE items SET (autovacuum_vacuum_scale_factor = 0.02)',
      'CREATE INDEX note_plain ON items ("Note")',
      'ALTER INDEX items_renamed RENAME TO items_other_name',
    ]) {
      await at.client.query(statement);
    }
    await expect.poll(() => at.value('SHOW from_collapse_limit')).toBe('11');
    const after = await look();
    await verify();

    const applies = (await at.service.ask('GET', `${at.base}/applies`)).body.items as Record<
      string,
      unknown
    >[];
    const recognised = ['approved', 'create', 'database', 'drop', 'options', 'role', 'setting'];
    expect(applies.map(({ recommendation_id }) => recommendation_id).sort()).toEqual(recognised);
    for (const apply of applies) {
      expect(apply).toMatchObject({
        actor: 'by hand',
        state: 'verifying',
        finished_at: after.collected_at,
        before_snapshot_id: before.id,
        after_snapshot_id: after.id,
      });
      const id = String(apply.recommendation_id);
      expect(await at.stateOf(id)).toBe('verifying');
      const [entry] = await at.service.services.store.audit.list({ limit: 1, subject_id: id });
      expect(entry).toMatchObject({ actor: 'by hand', action: 'recommendation.applied_by_hand' });
      expect(entry?.details).toMatchObject({ seen_at: after.collected_at, apply_id: apply.id });
    }
    const made = applies.find(({ recommendation_id }) => recommendation_id === 'create');
    expect(made?.plan).toMatchObject({ change: { index: { name: 'By Hand' } } });
    for (const id of ['other_class', 'other_order', 'renamed', 'there_before', 'half']) {
      expect(await at.stateOf(id), id).toBe('open');
    }
    // The windows around them are judged as those of any apply.
    await look();
    expect(await verify()).toEqual({ judged: recognised.length });
    const judged = (await at.service.ask('GET', `${at.base}/applies`)).body.items as Record<
      string,
      unknown
    >[];
    expect(judged.every(({ verdict }) => verdict !== null)).toBe(true);
    const ofIndex = judged.find(({ recommendation_id }) => recommendation_id === 'create');
    expect(JSON.stringify(ofIndex?.verdict)).toContain('By Hand');
    expect(await at.service.services.store.audit.verify()).toMatchObject({ ok: true });
  });

  it('are recognised where they are maintenance: other files, newer times, statistics of the same columns', async () => {
    const reindex = (name: string, column: string): Change => ({
      kind: 'index.reindex',
      schema: 'public',
      table: 'kept',
      name,
      definition: `CREATE INDEX ${name} ON public.kept USING btree (${column})`,
    });
    const on = { schema: 'public', table: 'kept' };
    await at.client.query('ANALYZE items');
    await look();
    const asked: Record<string, Change> = {
      plain: reindex('kept_plain', 'a'),
      live: reindex('kept_live', 'b'),
      vacuum: { kind: 'vacuum', ...on, freeze: false, analyze: true },
      analyze: { kind: 'analyze', ...on },
      statistics: {
        kind: 'statistics.create',
        ...on,
        name: 'kept_stat',
        kinds: ['dependencies'],
        columns: ['b', 'a'],
      },
      tree: { kind: 'vacuum', schema: 'public', table: 'tree', freeze: true, analyze: true },
      tree_analyze: { kind: 'analyze', schema: 'public', table: 'tree' },
      // Traps: one of its partitions was vacuumed; a partition was analysed, not the whole.
      half: { kind: 'vacuum', schema: 'public', table: 'half', freeze: false, analyze: false },
      half_analyze: { kind: 'analyze', schema: 'public', table: 'half' },
      // Traps: nobody rebuilt it; the table was analysed before the advice; other columns; no VACUUM FREEZE was run.
      alone: reindex('kept_alone', 'id'),
      before: { kind: 'analyze', schema: 'public', table: 'items' },
      columns: { kind: 'statistics.create', ...on, name: 'kept_ids', kinds: ['mcv'], columns: ['id', 'a'] },
      freeze: { kind: 'vacuum', schema: 'public', table: 'items', freeze: true, analyze: false },
    };
    for (const [id, change] of Object.entries(asked)) await at.propose(id, change);
    const before = await look();
    await verify();
    for (const statement of [
      'REINDEX INDEX kept_plain',
      'REINDEX INDEX CONCURRENTLY kept_live',
      'CREATE STATISTICS "By Hand" (dependencies, mcv) ON a, b FROM kept',
      'VACUUM (ANALYZE) kept',
      'VACUUM (FREEZE, ANALYZE) tree',
      'VACUUM (ANALYZE) half_low',
    ]) {
      await at.client.query(statement);
    }
    // Cumulative statistics are sent with a delay.
    await expect
      .poll(() => at.value("SELECT last_vacuum IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'kept'"))
      .toBe(true);
    const after = await look();
    await verify();
    const applies = (await at.service.ask('GET', `${at.base}/applies`)).body.items as Record<
      string,
      unknown
    >[];
    const recognised = ['analyze', 'live', 'plain', 'statistics', 'tree', 'tree_analyze', 'vacuum'];
    const those = applies.filter(({ recommendation_id }) => String(recommendation_id) in asked);
    expect(those.map(({ recommendation_id }) => recommendation_id).sort()).toEqual(recognised);
    for (const apply of those) {
      expect(apply).toMatchObject({
        actor: 'by hand',
        before_snapshot_id: before.id,
        after_snapshot_id: after.id,
      });
    }
    const made = those.find(({ recommendation_id }) => recommendation_id === 'statistics');
    expect(made?.plan).toMatchObject({ change: { name: 'By Hand' } });
    await look();
    await verify();
    for (const id of ['analyze', 'vacuum', 'tree', 'tree_analyze'])
      expect(await at.stateOf(id), id).toBe('succeeded');
    for (const id of ['live', 'plain', 'statistics']) {
      expect(['verifying', 'succeeded', 'inconclusive'], id).toContain(await at.stateOf(id));
    }
    for (const id of ['alone', 'before', 'columns', 'freeze', 'half', 'half_analyze'])
      expect(await at.stateOf(id), id).toBe('open');
  });

  it('are not seen in a snapshot that left the table alone because somebody held it', async () => {
    await look();
    await at.propose('held', drop('items_there', 'id'));
    await look();
    await at.client.query('BEGIN');
    await at.client.query('LOCK TABLE items IN ACCESS EXCLUSIVE MODE');
    const blind = await look();
    await at.client.query('ROLLBACK');
    expect(blind.limits.map(({ code }) => code)).toContain('relations_locked');
    await verify();
    expect(await at.stateOf('held')).toBe('open');
  });

  it('are not seen in what PgLuthier itself did', async () => {
    const change: Change = {
      kind: 'table.reloptions',
      schema: 'public',
      table: 'items',
      set: { parallel_workers: '3' },
      previous: { parallel_workers: null },
    };
    const [path] = [await at.propose('ours', change), await at.propose('twin', change)];
    await at.applyNow(path);
    await look();
    await verify();
    expect(await at.stateOf('twin')).toBe('open');
    // Statistics that we make analyse their table: nobody else did.
    await at.propose('analyze_twin', { kind: 'analyze', schema: 'public', table: 'items' });
    const statistics = await at.propose('ours_too', {
      kind: 'statistics.create',
      schema: 'public',
      table: 'items',
      name: 'items_stat',
      kinds: ['dependencies'],
      columns: ['id', 'owner'],
    });
    await at.applyNow(statistics);
    await look();
    await verify();
    expect(await at.stateOf('analyze_twin')).toBe('open');
  });
});
