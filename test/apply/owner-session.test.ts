import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asOwner, buildPlan, executePlan, preflight } from '../../src/apply/index.ts';
import type { Change } from '../../src/domain/index.ts';
import { packageRoot } from '../../src/package-root.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors } from '../support/servers.ts';
import { asRole } from '../target/as-role.ts';
import { newJournal } from './journal.ts';
import { applyServer, client, column, newApplyId, rows } from './target.ts';

const LOGIN = 'pgluthier_collector';

describe.each(testMajors)('as the role of sql/roles/applier.sql, PostgreSQL %i', (major) => {
  let dsn: string;
  let login: string;
  const owner = `shop_owner_${major}`;
  const clean: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    const server = await applyServer(major);
    const database = await server.createDatabase();
    dsn = database.dsn;
    login = asRole(dsn, LOGIN, 'x');
    const admin = await client(dsn);
    // The server is shared: another run of these roles may have left them.
    for (const role of [LOGIN, owner]) {
      const { rows: found } = await admin.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
      if (found.length > 0) await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
    for (const file of ['collector.sql', 'applier.sql']) {
      const sql = await readFile(join(packageRoot, 'sql', 'roles', file), 'utf8');
      await admin.query(sql);
    }
    await admin.query(`ALTER ROLE ${LOGIN} PASSWORD 'x';
      CREATE ROLE ${owner};
      GRANT ${owner} TO ${LOGIN} ${major >= 16 ? 'WITH INHERIT FALSE, SET TRUE' : ''};
      CREATE SCHEMA shop AUTHORIZATION ${owner};
      CREATE TABLE shop.item (id int, kind int);
      ALTER TABLE shop.item OWNER TO ${owner};
      INSERT INTO shop.item SELECT i, i % 10 FROM generate_series(1, 500) i;
      CREATE TABLE foreign_item (id int)`);
    await admin.end();
    clean.push(async () => {
      const last = await client(dsn);
      await last.query(`DROP OWNED BY ${LOGIN}, ${owner} CASCADE`);
      await last.end();
      await database.drop();
      const after = await client(server.dsn());
      await after.query(`DROP OWNED BY ${LOGIN}; DROP ROLE ${LOGIN}, ${owner}`);
      await after.end();
    });
  });
  afterAll(async () => {
    for (const one of clean) await one();
  });

  const apply = async (change: Change) => {
    const plan = buildPlan(change);
    const session = await openTarget(login, { applicationName: 'pgluthier:preflight', readOnly: true });
    const { drift } = await preflight(session, plan).finally(() => session.close());
    if (drift.length > 0) return drift.map(({ code }) => code);
    return executePlan(plan, {
      dsn: login,
      apply_id: newApplyId(),
      openSession: asOwner(openTarget, change),
      journal: newJournal(),
      onProgress: () => {},
    });
  };
  const index = (schema: string, table: string): Change => ({
    kind: 'index.create',
    index: {
      schema,
      table,
      name: `${table}_id_idx`,
      method: 'btree',
      unique: false,
      keys: [column('id')],
      include: [],
      where: null,
      options: {},
    },
  });

  it('changes what its owners own, and what it makes is theirs', async () => {
    const statistics: Change = {
      kind: 'statistics.create',
      schema: 'shop',
      table: 'item',
      name: 'item_stat',
      kinds: ['dependencies'],
      columns: ['id', 'kind'],
    };
    const options: Change = {
      kind: 'table.reloptions',
      schema: 'shop',
      table: 'item',
      set: { fillfactor: '90' },
      previous: { fillfactor: null },
    };
    const changes = [index('shop', 'item'), statistics, options];
    for (const change of changes) {
      expect(await apply(change), change.kind).toMatchObject({ outcome: 'applied' });
    }
    const made = await rows(
      dsn,
      `SELECT relowner::regrole::text AS owner FROM pg_class WHERE relname = 'item_id_idx'
       UNION ALL SELECT stxowner::regrole::text FROM pg_statistic_ext WHERE stxname = 'item_stat'`,
    );
    expect(made).toEqual([{ owner }, { owner }]);
  });

  it('changes nothing of others, and its other sessions have no right to write', async () => {
    expect(await apply(index('public', 'foreign_item'))).toContain('not_owner');
    const ordinary = await client(login);
    if (major >= 16) {
      await expect(ordinary.query('DELETE FROM shop.item')).rejects.toMatchObject({ code: '42501' });
      await expect(ordinary.query('DROP TABLE shop.item')).rejects.toMatchObject({ code: '42501' });
    }
    await expect(ordinary.query("ALTER SYSTEM SET archive_command = 'x'")).rejects.toMatchObject({
      code: '42501',
    });
    await ordinary.end();
  });

  it('writes a setting that it was granted, and takes it back', async () => {
    const setting = (value: string, current_value: string): Change => ({
      kind: 'setting',
      name: 'effective_io_concurrency',
      value,
      current_value,
      context: 'user',
    });
    const [now] = await rows<{ value: string }>(
      dsn,
      "SELECT current_setting('effective_io_concurrency') AS value",
    );
    const before = now?.value ?? '1';
    const wanted = before === '7' ? '8' : '7';
    expect(await apply(setting(wanted, before))).toMatchObject({ outcome: 'applied' });
    expect(await apply(setting(before, wanted))).toMatchObject({ outcome: 'applied' });
    await rows(dsn, 'ALTER SYSTEM RESET effective_io_concurrency');
    await rows(dsn, 'SELECT pg_reload_conf()');
  });
});
