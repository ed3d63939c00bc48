/** Objects and rules of a database that stand in the way of a change in ways that no plan foresees. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSight } from '../../src/apply/build-witness.ts';
import { buildPlan, executePlan } from '../../src/apply/index.ts';
import type { Change, JournalEntry } from '../../src/domain/index.ts';
import { quoteIdentifier } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { newJournal } from './journal.ts';
import {
  apply,
  applyServer,
  client,
  column,
  createIndexChange,
  driftCodes,
  indexState,
  newApplyId,
  rows,
} from './target.ts';

const SCHEMA = `
CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t SELECT g, g % 7, repeat(md5(g::text), 4) FROM generate_series(1, 8000) AS g;
CREATE TABLE p (id int, at int) PARTITION BY RANGE (at);
CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM (10) TO (20);
INSERT INTO p SELECT g, g % 20 FROM generate_series(1, 2000) AS g;
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'no DDL today: %', tg_tag; END $$`;

describe.each([15, 18])('PostgreSQL %i', (major) => {
  let dsn: string;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    ({ dsn, drop } = await (await applyServer(major)).createDatabase({ sql: SCHEMA }));
  });
  afterAll(() => drop());

  const remains = () =>
    rows(
      dsn,
      `SELECT relname FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE NOT indisvalid OR relname ~ '_cc(new|old)'`,
    );
  const index = (name: string, of = 'a'): Change =>
    createIndexChange({ schema: 'public', table: 't', name, keys: [column(of)] });
  const existing = async (name: string) => {
    await rows(dsn, `CREATE INDEX ${quoteIdentifier(name)} ON t (a)`);
    const [row] = await rows<{ definition: string }>(
      dsn,
      'SELECT pg_get_indexdef(oid) AS definition FROM pg_class WHERE relname = $1',
      [name],
    );
    return { schema: 'public', table: 't', name, definition: row?.definition ?? '' };
  };
  const removed = (name: string) => rows(dsn, `DROP INDEX IF EXISTS ${quoteIdentifier(name)}`);

  it("another session's temporary table is nobody else's to change", async () => {
    const owner = await client(dsn);
    await owner.query('CREATE TEMP TABLE mine (a int)');
    const [row] = (await owner.query('SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()'))
      .rows;
    const of = { schema: String(row.nspname), table: 'mine' };
    const changes: Change[] = [
      { kind: 'vacuum', ...of, freeze: false, analyze: false },
      { kind: 'analyze', ...of },
      createIndexChange({ ...of, name: 'mine_a', keys: [column('a')] }),
    ];
    for (const change of changes) expect(await driftCodes(dsn, change)).toEqual(['temporary_table']);
    await owner.end();
  });

  it('an event trigger that refuses a build before, and after it was done: nothing is left', async () => {
    for (const event of ['ddl_command_start', 'ddl_command_end']) {
      await rows(
        dsn,
        `CREATE EVENT TRIGGER no ON ${event} WHEN tag IN ('CREATE INDEX') EXECUTE FUNCTION refuse()`,
      );
      const { outcome } = await apply(dsn, index('refused'));
      await rows(dsn, 'DROP EVENT TRIGGER no');
      expect(outcome, event).toMatchObject({
        outcome: 'failed',
        code: 'statement_failed',
        message: expect.stringContaining('no DDL today: CREATE INDEX. '),
      });
      expect(await indexState(dsn, 'refused')).toBe('absent');
    }
  });

  it('an event trigger that refuses a drop at its end, when the index is invalid by then: it is made valid again', async () => {
    const kept = await existing('kept');
    await rows(
      dsn,
      "CREATE EVENT TRIGGER no ON sql_drop WHEN tag IN ('DROP INDEX') EXECUTE FUNCTION refuse()",
    );
    const { outcome } = await apply(dsn, { kind: 'index.drop', ...kept });
    await rows(dsn, 'DROP EVENT TRIGGER no');
    expect(outcome).toMatchObject({ outcome: 'failed', facts: { healed: 'public.kept' } });
    expect(await indexState(dsn, 'kept')).toBe('valid');
    expect(await remains()).toEqual([]);
    await removed('kept');
  });

  it('no room for the sort: nothing is left', async () => {
    const database = quoteIdentifier(new URL(dsn).pathname.slice(1));
    for (const [name, value] of Object.entries({
      temp_file_limit: '64kB',
      maintenance_work_mem: '1MB',
      max_parallel_maintenance_workers: '0',
    })) {
      await rows(dsn, `ALTER DATABASE ${database} SET ${name} = '${value}'`);
    }
    const { outcome } = await apply(dsn, index('no_room', 'b'));
    await rows(dsn, `ALTER DATABASE ${database} RESET ALL`);
    expect(outcome).toMatchObject({ outcome: 'failed', message: expect.stringContaining('53400') });
    expect(await indexState(dsn, 'no_room')).toBe('absent');
  });

  it('a name of 63 bytes, in letters of two, is rebuilt and dropped as any other', async () => {
    const name = `${'é'.repeat(30)}%s!`;
    const long = await existing(name);
    for (const kind of ['index.reindex', 'index.drop'] as const) {
      expect((await apply(dsn, { kind, ...long })).outcome, kind).toMatchObject({ outcome: 'applied' });
      expect(await remains()).toEqual([]);
    }
  });

  it('a database that is read-only by default, deferrable and serializable, is changed all the same', async () => {
    const database = quoteIdentifier(new URL(dsn).pathname.slice(1));
    for (const set of [
      'default_transaction_deferrable = on',
      "default_transaction_isolation = 'serializable'",
    ]) {
      await rows(dsn, `ALTER DATABASE ${database} SET ${set}`);
    }
    const admin = await client(dsn);
    await admin.query(`ALTER DATABASE ${database} SET default_transaction_read_only = on`);
    const built = await apply(dsn, index('read_only'));
    const vacuumed = await apply(dsn, {
      kind: 'vacuum',
      schema: 'public',
      table: 't',
      freeze: true,
      analyze: true,
    });
    await admin.query(`ALTER DATABASE ${database} RESET ALL`);
    await admin.end();
    expect([built.outcome.outcome, vacuumed.outcome.outcome]).toEqual(['applied', 'applied']);
    await removed('read_only');
  });

  it('VACUUM does not lock readers out to give pages back', async () => {
    await rows(dsn, "CREATE TABLE emptied AS SELECT g, repeat('x', 500) FROM generate_series(1, 2000) AS g");
    await rows(dsn, 'DELETE FROM emptied');
    const size = () => rows<{ bytes: number }>(dsn, "SELECT pg_relation_size('emptied')::int AS bytes");
    const before = await size();
    const change: Change = {
      kind: 'vacuum',
      schema: 'public',
      table: 'emptied',
      freeze: false,
      analyze: false,
    };
    expect((await apply(dsn, change)).outcome).toMatchObject({ outcome: 'applied' });
    expect(await size()).toEqual(before);
  });

  const tree = (name: string): Change => ({
    ...(createIndexChange({ schema: 'public', table: 'p', name, keys: [column('at')] }) as Extract<
      Change,
      { kind: 'index.create' }
    >),
    partitions: [1, 2].map((n) => ({
      schema: 'public',
      table: `p_${n}`,
      name: `${name}_${n}`,
      parent_schema: 'public',
      parent_name: name,
      leaf: true,
    })),
  });
  /** Applies it while somebody runs this as the first leaf is built. */
  const meanwhile = async (name: string, sql: string) => {
    const journal = newJournal();
    const intend = async (entry: Pick<JournalEntry, 'purpose' | 'sql' | 'backend_pid' | 'backend_start'>) => {
      if (entry.sql.startsWith(`CREATE INDEX CONCURRENTLY ${name}_1 `)) await rows(dsn, sql);
      return journal.intend(entry);
    };
    return (await apply(dsn, tree(name), { journal: { ...journal, intend } })).outcome;
  };

  it('a leaf that is renamed while another one is built: told, and gone on from once it is back', async () => {
    expect(await meanwhile('renamed', 'ALTER TABLE p_2 RENAME TO p_two')).toMatchObject({
      outcome: 'needs_attention',
      code: 'partly_built',
      facts: { leaves_built: 1, because: 'partitions_changed' },
    });
    await rows(dsn, 'ALTER TABLE p_two RENAME TO p_2');
    expect((await apply(dsn, tree('renamed'))).outcome).toMatchObject({ outcome: 'applied' });
    await removed('renamed');
  });

  it('the partitioned index is replaced while leaves are built: attached to the one that is there, nothing twice', async () => {
    const replace = 'DROP INDEX replaced; CREATE INDEX replaced ON ONLY p (at)';
    const journal = newJournal();
    const intend: typeof journal.intend = async (entry) => {
      if (entry.sql.startsWith('CREATE INDEX CONCURRENTLY replaced_2 ')) await rows(dsn, replace);
      return journal.intend(entry);
    };
    const { outcome, plan } = await apply(dsn, tree('replaced'), { journal: { ...journal, intend } });
    expect(outcome).toMatchObject({ outcome: 'applied' });
    const sent = (await journal.entries()).filter((entry) => !isSight(entry)).map(({ sql }) => sql);
    expect(sent).toEqual(plan.statements);
    await removed('replaced');
  });

  it('each leaf costs the same, however many there are', async () => {
    const many = 24;
    await rows(dsn, 'CREATE TABLE wide (id int, at int) PARTITION BY RANGE (at)');
    for (let n = 1; n <= many; n += 1) {
      await rows(dsn, `CREATE TABLE wide_${n} PARTITION OF wide FOR VALUES FROM (${n}) TO (${n + 1})`);
    }
    /** Questions of the session that runs the statements, for a tree of so many leaves. */
    const asked = async (leaves: number) => {
      await rows(dsn, `DROP INDEX IF EXISTS wide_at`);
      for (let n = many; n > leaves; n -= 1) await rows(dsn, `DROP TABLE IF EXISTS wide_${n}`);
      const plan = buildPlan({
        ...(createIndexChange({
          schema: 'public',
          table: 'wide',
          name: 'wide_at',
          keys: [column('at')],
        }) as Extract<Change, { kind: 'index.create' }>),
        partitions: Array.from({ length: leaves }, (_, n) => ({
          schema: 'public',
          table: `wide_${n + 1}`,
          name: `wide_at_${n + 1}`,
          parent_schema: 'public',
          parent_name: 'wide_at',
          leaf: true,
        })),
      });
      let questions = 0;
      const outcome = await executePlan(plan, {
        dsn,
        apply_id: newApplyId(),
        journal: newJournal(),
        onProgress: () => {},
        openSession: async (...given) => {
          const session = await openTarget(...given);
          const main = !given[1].applicationName.includes(':', 'pgluthier:apply:'.length);
          return {
            ...session,
            query: (...of) => {
              if (main) questions += 1;
              return session.query(...of);
            },
          };
        },
      });
      expect(outcome).toMatchObject({ outcome: 'applied' });
      return questions;
    };
    const [all, half] = [await asked(many), await asked(many / 2)];
    expect(half).toBeGreaterThan(many);
    expect(all / half).toBeLessThan(2.1);
  });

  it('a leaf that is detached while another one is built gets no index any more', async () => {
    expect(await meanwhile('detached', 'ALTER TABLE p DETACH PARTITION p_2')).toMatchObject({
      outcome: 'needs_attention',
      code: 'partly_built',
      message: expect.stringContaining('public.p_2 is no partition of it any more'),
      facts: { leaves_built: 1, because: 'partitions_changed' },
    });
    expect(await indexState(dsn, 'detached_2')).toBe('absent');
    await rows(dsn, 'ALTER TABLE p ATTACH PARTITION p_2 FOR VALUES FROM (10) TO (20)');
    await removed('detached');
  });
});
