/** What the target says before anything is done: drift, refusals, and who is in the way. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan, preflight } from '../../src/apply/index.ts';
import type { Change } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import {
  applyDatabase,
  applyServer,
  check,
  client,
  column,
  createIndexChange,
  driftCodes,
  QUALIFIED,
  rows,
  snapshotHolder,
  TABLE,
} from './target.ts';

let dsn: string;
let drop: () => Promise<void>;
beforeAll(async () => {
  ({ dsn, drop } = await applyDatabase());
});
afterAll(() => drop());

describe('an index to be built', () => {
  it('fits the database that it was advised for', async () => {
    expect(await check(dsn, createIndexChange())).toEqual({ drift: [], blockers: [] });
  });

  it.each<[string, Change]>([
    ['relation_missing', createIndexChange({ table: 'gone' })],
    ['column_missing', createIndexChange({ keys: [column('gone')], include: ['n'] })],
    ['name_taken', createIndexChange({ name: 'Order Items' })],
    ['partitions_changed', createIndexChange({ schema: 'public', table: 'parted', keys: [column('id')] })],
    ['equivalent_index_exists', createIndexChange({ keys: [column('id')], unique: true })],
  ])('is refused for %s', async (code, change) => {
    expect(await driftCodes(dsn, change)).toEqual([code]);
  });

  it.each<[string, Partial<Extract<Change, { kind: 'index.create' }>['index']>]>([
    ['of another operator class', { keys: [column('status')] }],
    ['of another order', { keys: [{ ...column('n'), direction: 'desc' }] }],
    ['with a predicate', { keys: [column('n')], where: 'n > 3' }],
    ['with more columns', { keys: [column('n'), column('id')] }],
  ])('is not taken for one that stands %s', async (_, index) => {
    await rows(dsn, `CREATE INDEX IF NOT EXISTS pattern ON ${QUALIFIED} (status text_pattern_ops)`);
    await rows(dsn, `CREATE INDEX IF NOT EXISTS plain ON ${QUALIFIED} (n)`);
    expect(await driftCodes(dsn, createIndexChange(index))).toEqual([]);
  });
});

describe('an index to be dropped', () => {
  const definition = async (name: string) =>
    (
      await rows<{ definition: string }>(
        dsn,
        'SELECT pg_get_indexdef(oid) AS definition FROM pg_class WHERE relname = $1',
        [name],
      )
    )[0]?.definition ?? '';
  const change = (name: string, text: string): Change => ({
    kind: 'index.drop',
    ...TABLE,
    name,
    definition: text,
  });

  it('is refused when it is gone, has changed, or is needed', async () => {
    await rows(dsn, `CREATE UNIQUE INDEX ident ON ${QUALIFIED} (id)`);
    await rows(dsn, `ALTER TABLE ${QUALIFIED} REPLICA IDENTITY USING INDEX ident`);
    expect(await driftCodes(dsn, change('gone', 'CREATE INDEX gone ON "Shöp"."Order Items" (n)'))).toEqual([
      'index_missing',
    ]);
    expect(
      await driftCodes(dsn, change('ident', 'CREATE INDEX ident ON "Shöp"."Order Items" USING btree (n)')),
    ).toEqual(['index_changed', 'index_is_replica_identity']);
    expect(await driftCodes(dsn, change('Order Items_pkey', await definition('Order Items_pkey')))).toEqual([
      'index_backs_constraint',
    ]);
  });

  it('in favour of one that is yet to be built is refused until that is there, valid and the same', async () => {
    await rows(dsn, `CREATE INDEX narrow ON ${QUALIFIED} (status)`);
    const wide = createIndexChange({ name: 'wide', keys: [column('status'), column('n')] });
    const inFavour = {
      ...change('narrow', await definition('narrow')),
      replaced_by: wide.kind === 'index.create' ? [wide.index] : [],
    } as Change;
    expect(await driftCodes(dsn, inFavour)).toEqual(['replacement_missing']);
    await rows(dsn, `CREATE INDEX wide ON ${QUALIFIED} (status, n DESC)`);
    expect(await driftCodes(dsn, inFavour)).toEqual(['replacement_missing']);
    await rows(dsn, `DROP INDEX "Shöp".wide; CREATE INDEX other_name ON ${QUALIFIED} (status, n)`);
    expect(await driftCodes(dsn, inFavour)).toEqual([]);
    await rows(
      dsn,
      'UPDATE pg_index SET indisvalid = false WHERE indexrelid = \'"Shöp".other_name\'::regclass',
    );
    expect(await driftCodes(dsn, inFavour)).toEqual(['replacement_missing']);
    await rows(dsn, 'DROP INDEX "Shöp".narrow, "Shöp".other_name');
  });

  it('is refused when a foreign key leans on it though no constraint names it', async () => {
    await rows(dsn, 'CREATE TABLE parent (id int); CREATE UNIQUE INDEX leaned ON parent (id)');
    await rows(dsn, 'CREATE TABLE child (id int REFERENCES parent (id))');
    expect(
      await driftCodes(dsn, {
        kind: 'index.drop',
        schema: 'public',
        table: 'parent',
        name: 'leaned',
        definition: await definition('leaned'),
      }),
    ).toEqual(['index_backs_constraint']);
  });
});

describe('a setting', () => {
  const setting = (name: string, value: string, current = '4MB'): Change => ({
    kind: 'setting',
    name,
    value,
    current_value: current,
    context: 'user',
  });
  it.each<[string, Change]>([
    ['setting_not_allowed', setting('shared_preload_libraries', 'evil')],
    ['setting_not_allowed', setting('fsync', 'off', 'on')],
    ['setting_out_of_bounds', setting('work_mem', '1kB')],
    ['setting_out_of_bounds', setting('work_mem', 'lots')],
    ['already_applied', setting('work_mem', '4096kB')],
    ['setting_changed', setting('work_mem', '8MB', '16MB')],
  ])('is refused for %s', async (code, change) => {
    expect(await driftCodes(dsn, change)).toEqual([code]);
  });

  it('that came with a later major is unknown to an earlier one', async () => {
    const server = await applyServer(15);
    expect(await driftCodes(server.dsn('postgres'), setting('autovacuum_worker_slots', '3'))).toEqual([
      'setting_unknown',
    ]);
  });

  it('that would not leave the host any memory is refused', async () => {
    const [now] = await rows<{ value: string }>(dsn, "SELECT current_setting('shared_buffers') AS value");
    expect(await driftCodes(dsn, setting('shared_buffers', '1000GB', now?.value))).toEqual([
      'setting_out_of_bounds',
    ]);
  });

  it.each([
    ['random_page_cost', '1.25'],
    ['checkpoint_timeout', '16min'],
    ['max_wal_size', '5GB'],
    ['autovacuum_vacuum_cost_delay', '1500us'],
    ['max_parallel_workers_per_gather', '7'],
    ['wal_compression', 'on'],
  ])('%s = %s fits as advised', async (name, value) => {
    const [now] = await rows<{ value: string }>(dsn, 'SELECT current_setting($1) AS value', [name]);
    expect(await driftCodes(dsn, setting(name, value, now?.value))).toEqual([]);
  });
});

describe('storage parameters', () => {
  const reloptions = (set: Record<string, string>, previous: Record<string, string | null>): Change => ({
    kind: 'table.reloptions',
    schema: 'public',
    table: 'other',
    set,
    previous,
  });
  it('are refused when they are not as they were, or not to be touched', async () => {
    await rows(dsn, 'ALTER TABLE other SET (fillfactor = 90)');
    expect(await driftCodes(dsn, reloptions({ fillfactor: '80' }, { fillfactor: '90' }))).toEqual([]);
    expect(await driftCodes(dsn, reloptions({ fillfactor: '80' }, { fillfactor: null }))).toEqual([
      'reloptions_changed',
    ]);
    expect(await driftCodes(dsn, reloptions({ fillfactor: '90' }, { fillfactor: null }))).toEqual([
      'already_applied',
    ]);
    expect(await driftCodes(dsn, reloptions({ user_catalog_table: 'true' }, {}))).toEqual([
      'reloption_not_allowed',
    ]);
  });
});

it.each([
  [140003, ['concurrent_index_corruption']],
  [140004, []],
])('where the server says that it is %i, indexes are built or not', async (server_version_num, codes) => {
  // No package has the server itself: a real session that tells another number.
  const session = await openTarget(dsn, { applicationName: 'pgluthier:preflight', readOnly: true });
  const older = new Proxy(session, {
    get: (of, key) => (key === 'server_version_num' ? server_version_num : Reflect.get(of, key, of)),
  });
  const create = await preflight(older, buildPlan(createIndexChange()));
  const analyze = await preflight(older, buildPlan({ kind: 'analyze', ...TABLE }));
  await session.close();
  expect(create.drift.map(({ code }) => code)).toEqual(codes);
  expect(analyze.drift).toEqual([]);
});

it('a role without rights is told which it lacks', async () => {
  const role = `poor_${process.pid}`;
  await rows(dsn, `CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA "Shöp" TO ${role}`);
  const poor = new URL(dsn);
  if (poor.searchParams.has('user')) poor.searchParams.set('user', role);
  else poor.username = role;
  poor.password = 'x';
  expect(await driftCodes(poor.href, createIndexChange())).toEqual(['not_owner', 'missing_schema_create']);
  expect(await driftCodes(poor.href, { kind: 'analyze', ...TABLE })).toEqual(['missing_privilege']);
  const { drift } = await check(poor.href, {
    kind: 'setting',
    name: 'work_mem',
    value: '8MB',
    current_value: '4MB',
    context: 'user',
  });
  expect(drift).toMatchObject([{ code: 'missing_privilege' }]);
  expect(drift[0]?.message).toContain('GRANT ALTER SYSTEM ON PARAMETER work_mem');
  await rows(dsn, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
});

describe('who is in the way', () => {
  it('of a build: an old snapshot, a writer of the table, a prepared transaction; not a writer elsewhere', async () => {
    const snapshot = await snapshotHolder(dsn);
    const writer = await client(dsn);
    await writer.query(`BEGIN; UPDATE ${QUALIFIED} SET n = 0 WHERE id = 1`);
    const elsewhere = await client(dsn);
    await elsewhere.query('BEGIN; INSERT INTO other VALUES (1)');
    const prepared = await client(dsn);
    await prepared.query(`BEGIN; UPDATE ${QUALIFIED} SET n = 0 WHERE id = 2`);
    await prepared.query("PREPARE TRANSACTION 'left behind'");
    await sleep(2_200);
    const { drift, blockers } = await check(dsn, createIndexChange());
    await rows(dsn, "ROLLBACK PREPARED 'left behind'");
    await Promise.all([snapshot.release(), writer.end(), elsewhere.end(), prepared.end()]);
    expect(drift).toEqual([]);
    expect(blockers).toHaveLength(3);
    expect(blockers).toContainEqual(
      expect.objectContaining({
        pid: snapshot.pid,
        application_name: 'shop backend',
        reason: expect.stringMatching(/old snapshot.*idle in its transaction/),
      }),
    );
    expect(blockers.map((blocker) => blocker.reason).join('\n')).toMatch(
      /prepared transaction 'left behind'/,
    );
    expect(blockers.map((blocker) => blocker.reason).join('\n')).toMatch(
      /holds RowExclusiveLock on the table/,
    );
    expect(blockers.every((blocker) => (blocker.age_seconds ?? 0) >= 2)).toBe(true);
  });

  it('of a drop: a reader of the table; of storage parameters: only maintenance', async () => {
    await rows(dsn, 'CREATE INDEX read_in ON other (id)');
    const reader = await client(dsn);
    await reader.query('BEGIN; SELECT FROM other');
    await sleep(2_200);
    const dropped = await check(dsn, {
      kind: 'index.drop',
      schema: 'public',
      table: 'other',
      name: 'read_in',
      definition: 'CREATE INDEX read_in ON public.other USING btree (id)',
    });
    expect(dropped).toMatchObject({
      drift: [],
      blockers: [{ application_name: 'shop backend', reason: expect.stringContaining('AccessShareLock') }],
    });
    expect(await check(dsn, { kind: 'analyze', schema: 'public', table: 'other' })).toEqual({
      drift: [],
      blockers: [],
    });
    await reader.end();
  });
});
