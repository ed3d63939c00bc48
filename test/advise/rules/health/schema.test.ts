/** Health of what is defined: keys, constraints, types, triggers, roles, versions, settings. */
import { describe, expect, test } from 'vitest';
import { rule as padding } from '../../../../src/advise/rules/health/alignment-padding.ts';
import { rule as collations } from '../../../../src/advise/rules/health/collation-version.ts';
import { rule as types } from '../../../../src/advise/rules/health/column-types.ts';
import { rule as notValid } from '../../../../src/advise/rules/health/constraint-not-valid.ts';
import { rule as definer } from '../../../../src/advise/rules/health/definer-search-path.ts';
import { rule as extensions, isBefore } from '../../../../src/advise/rules/health/extension-outdated.ts';
import { rule as fkTwice } from '../../../../src/advise/rules/health/foreign-key-duplicate.ts';
import { rule as fkTypes } from '../../../../src/advise/rules/health/foreign-key-type-mismatch.ts';
import { rule as hugePages } from '../../../../src/advise/rules/health/huge-pages.ts';
import { rule as keys } from '../../../../src/advise/rules/health/key-exhaustion.ts';
import { rule as logging } from '../../../../src/advise/rules/health/logging-and-timeouts.ts';
import { rule as noKey } from '../../../../src/advise/rules/health/no-primary-key.ts';
import { rule as methods } from '../../../../src/advise/rules/health/planner-method-disabled.ts';
import { rule as sequences } from '../../../../src/advise/rules/health/sequence-exhaustion.ts';
import { rule as version } from '../../../../src/advise/rules/health/server-version.ts';
import { rule as superusers } from '../../../../src/advise/rules/health/superusers.ts';
import { rule as oversize } from '../../../../src/advise/rules/health/table-oversize.ts';
import { rule as triggers } from '../../../../src/advise/rules/health/trigger-disabled.ts';
import { rule as unlogged } from '../../../../src/advise/rules/health/unlogged-table.ts';
import { type InstanceFacts, noActivity, type SchemaFacts } from '../../../../src/domain/index.ts';
import { columnRow, columnStats, indexRow, tableRow } from '../../../support/rows.ts';
import {
  ago,
  constraint,
  evaluated,
  noInstance,
  schemaWith,
  sequence,
  session,
  settingRow,
  snapshotOf,
  told,
  withSettings,
} from './cases.ts';

const withSchema = (schema: Partial<SchemaFacts>, parts: Parameters<typeof snapshotOf>[0] = {}) =>
  snapshotOf({ tables: [tableRow()], schema: schemaWith(schema), ...parts });
const withInstance = (instance: Partial<InstanceFacts>, parts: Parameters<typeof snapshotOf>[0] = {}) =>
  snapshotOf({ tables: [tableRow()], instance: { ...noInstance, ...instance }, ...parts });

describe('keys', () => {
  test('no primary key: by constraints, so that an index that could not be read does not count as none', async () => {
    expect(await told(noKey, withSchema({ constraints: [constraint()] }))).toEqual([]);
    expect(await told(noKey, withSchema({}))).toEqual(['low no-primary-key public.t']);
    for (const row of [{ is_partition: true }, { relpersistence: 'u' }, { relkind: 'f' }]) {
      expect(await told(noKey, withSchema({}, { tables: [tableRow(row)] }))).toEqual([]);
    }
    const unread = { limits: [{ scope: 'constraints', code: 'read_failed', message: '', remedy: null }] };
    expect(await evaluated(noKey, withSchema({}, unread))).toMatchObject({
      recommendations: [],
      limits: [{ code: 'not_collected' }],
    });
  });
  test('no primary key and published updates: they fail', async () => {
    const publication = {
      oid: 1,
      name: 'p',
      all_tables: true,
      inserts: true,
      updates: true,
      deletes: true,
      truncates: true,
      via_root: false,
      table_oids: [],
    };
    const of = (replica_identity: string, updates: boolean) =>
      withInstance(
        { publications: [{ ...publication, updates, deletes: updates }] },
        { tables: [tableRow({ replica_identity })], schema: schemaWith({}) },
      );
    expect(await told(noKey, of('d', true))).toEqual(['high no-primary-key public.t']);
    expect(await told(noKey, of('f', true))).toEqual(['low no-primary-key public.t']);
    expect(await told(noKey, of('d', false))).toEqual(['low no-primary-key public.t']);
  });
  test.each([
    [{ last_value: '1500000000' }, []],
    [{ last_value: '1700000000' }, ['medium sequence-exhaustion public.t_id_seq']],
    [{ last_value: '2147483647' }, ['critical sequence-exhaustion public.t_id_seq']],
    [{ last_value: '2147483647', cycle: true }, []],
    [{ last_value: null }, []],
    [
      { last_value: '-2000000000', increment_by: '-1', min_value: '-2147483648', max_value: '-1' },
      ['high sequence-exhaustion public.t_id_seq'],
    ],
    [
      { last_value: '9000000000000000000', max_value: '9223372036854775807', data_type: 'bigint' },
      ['high sequence-exhaustion public.t_id_seq'],
    ],
  ])('a sequence %j', async (row, expected) => {
    expect(await told(sequences, withSchema({ sequences: [sequence(row)] }))).toEqual(expected);
  });
  test('a bigint sequence that feeds an integer key ends where the column does', async () => {
    const owned = { owner_table_oid: 16_384, owner_column: 'id', last_value: '2000000000' };
    const of = (row: Parameters<typeof sequence>[0]) =>
      withSchema(
        { sequences: [sequence({ ...owned, ...row })] },
        {
          columns: [columnRow({ type: 'integer' })],
          indexes: [indexRow({ is_unique: true, keys: ['id'], key_attnums: [1] })],
        },
      );
    const large = { data_type: 'bigint', max_value: '9223372036854775807' };
    expect(await told(keys, of(large))).toEqual(['high key-exhaustion public.t.id']);
    expect(await told(sequences, of(large))).toEqual([]);
    expect(await told(keys, of({}))).toEqual([]);
    expect(await told(sequences, of({}))).toEqual(['high sequence-exhaustion public.t_id_seq']);
  });
  test('an integer key without a sequence, by its histogram', async () => {
    const of = (type: string, last: string) =>
      snapshotOf({
        tables: [tableRow()],
        columns: [columnRow({ type, stats: columnStats({ histogram_bounds: `{1,500,${last}}` }) })],
        indexes: [indexRow({ is_unique: true, keys: ['id'], key_attnums: [1] })],
      });
    expect(await told(keys, of('integer', '2130000000'))).toEqual(['critical key-exhaustion public.t.id']);
    expect(await told(keys, of('smallint', '30000'))).toEqual(['high key-exhaustion public.t.id']);
    expect(await told(keys, of('integer', '30000'))).toEqual([]);
    expect(await told(keys, of('bigint', '2130000000'))).toEqual([]);
  });
});

describe('constraints', () => {
  test('not validated, but for those not enforced', async () => {
    const check = { name: 'c', type: 'c', definition: 'CHECK ((id > 0)) NOT VALID', valid: false };
    expect(await told(notValid, withSchema({ constraints: [constraint(check)] }))).toEqual([
      'low constraint-not-valid public.t c',
    ]);
    expect(
      await told(
        notValid,
        withSchema({ constraints: [constraint({ ...check, definition: 'CHECK ((id > 0)) NOT ENFORCED' })] }),
      ),
    ).toEqual([]);
    expect(
      await told(notValid, withSchema({ constraints: [constraint({ ...check, valid: true })] })),
    ).toEqual([]);
  });
  const key = {
    name: 'fk',
    type: 'f',
    definition: 'FOREIGN KEY (a) REFERENCES u(id)',
    referenced_oid: 2,
    columns: ['a'],
    referenced_columns: ['id'],
  };
  test.each([
    ['integer', 'bigint', ['medium foreign-key-type-mismatch public.t.a fk']],
    ['numeric(10,0)', 'bigint', ['low foreign-key-type-mismatch public.t.a fk']],
    ['bigint', 'integer', ['info foreign-key-type-mismatch public.t.a fk']],
    ['bigint', 'bigint', []],
    ['character varying(10)', 'text', []],
  ])('%s refers to %s', async (mine, theirs, expected) => {
    const columns = [
      columnRow({ name: 'a', type: mine }),
      columnRow({ table_oid: 2, name: 'id', type: theirs }),
    ];
    expect(await told(fkTypes, withSchema({ constraints: [constraint(key)] }, { columns }))).toEqual(
      expected,
    );
  });
  test('the same foreign key twice, in whatever order of columns; not those to other columns', async () => {
    const two = { ...key, columns: ['a', 'b'], referenced_columns: ['x', 'y'] };
    const swapped = { ...key, name: 'fk2', columns: ['b', 'a'], referenced_columns: ['y', 'x'] };
    const crossed = { ...key, name: 'fk3', columns: ['b', 'a'], referenced_columns: ['x', 'y'] };
    expect(await told(fkTwice, withSchema({ constraints: [constraint(two), constraint(swapped)] }))).toEqual([
      'low foreign-key-duplicate public.t a,b',
    ]);
    expect(await told(fkTwice, withSchema({ constraints: [constraint(two), constraint(crossed)] }))).toEqual(
      [],
    );
  });
});

describe('tables', () => {
  test('types, one finding each, of tables and not of their partitions', async () => {
    const columns = [
      columnRow({ name: 'm', type: 'money' }),
      columnRow({ name: 'c', type: 'character(10)' }),
      columnRow({ name: 'j', type: 'json' }),
      columnRow({ name: 't', type: 'timestamp(3) without time zone' }),
      columnRow({ name: 'ok', type: 'timestamp with time zone' }),
      columnRow({ name: 'v', type: 'character varying(10)' }),
    ];
    const owned = sequence({ owner_table_oid: 16_384, owner_column: 'ok' });
    expect(await told(types, withSchema({ sequences: [owned] }, { columns }))).toEqual(
      ['money', 'character', 'json', 'timestamp', 'serial'].map((type) => `info column-types ${type}`),
    );
    expect(
      await told(types, withSchema({}, { columns, tables: [tableRow({ is_partition: true })] })),
    ).toEqual([]);
  });
  test('triggers: those of foreign keys are grave', async () => {
    const trigger = {
      table_oid: 16_384,
      name: 'audit',
      is_internal: false,
      enabled: 'D',
      for_each_row: true,
      is_before: true,
      on_insert: true,
      on_delete: false,
      on_update: false,
      on_truncate: false,
    };
    expect(await told(triggers, withInstance({ triggers: [trigger] }))).toEqual([
      'low trigger-disabled public.t',
    ]);
    expect(
      await told(triggers, withInstance({ triggers: [trigger, { ...trigger, is_internal: true }] })),
    ).toEqual(['high trigger-disabled public.t']);
    expect(await told(triggers, withInstance({ triggers: [{ ...trigger, enabled: 'R' }] }))).toEqual([]);
    expect((await evaluated(triggers, snapshotOf())).limits[0]?.code).toBe('not_collected');
  });
  test('unlogged ones with rows', async () => {
    expect(await told(unlogged, snapshotOf({ tables: [tableRow({ relpersistence: 'u' })] }))).toEqual([
      'info unlogged-table public.t',
    ]);
    expect(
      await told(
        unlogged,
        snapshotOf({ tables: [tableRow({ relpersistence: 'u', reltuples: 0, n_live_tup: 0 })] }),
      ),
    ).toEqual([]);
  });
  test('padding: computed as rows are formed', async () => {
    const rows = { reltuples: 1e9, main_pages: 8_000_000 };
    const flag = (name: string, attnum: number) =>
      columnRow({
        name,
        attnum,
        type: 'boolean',
        typlen: 1,
        typalign: 'c',
        stats: columnStats({ avg_width: 1 }),
      });
    const long = (name: string, attnum: number) => columnRow({ name, attnum, stats: columnStats() });
    // 1+7 8 1+7 8 = 32 bytes; 8 8 1 1+6 = 24.
    const columns = [flag('a', 1), long('b', 2), flag('c', 3), long('d', 4)];
    const { recommendations } = await evaluated(padding, snapshotOf({ tables: [tableRow(rows)], columns }));
    expect(recommendations[0]).toMatchObject({ severity: 'info', evidence_level: 'estimated' });
    expect(recommendations[0]?.evidence[0]).toMatchObject({
      value: 8e9,
      formula: '(32 − 24) bytes a row × 1,000,000,000 rows',
    });
    const sorted = [long('b', 1), long('d', 2), flag('a', 3), flag('c', 4)];
    expect(await told(padding, snapshotOf({ tables: [tableRow(rows)], columns: sorted }))).toEqual([]);
    expect(await told(padding, snapshotOf({ tables: [tableRow()], columns }))).toEqual([]);
  });
  test('limits of size and columns', async () => {
    expect(await told(oversize, snapshotOf({ tables: [tableRow({ main_pages: 2 ** 31 + 10 })] }))).toEqual([
      'high table-oversize public.t size',
    ]);
    expect(await told(oversize, snapshotOf({ tables: [tableRow({ main_pages: 7e7 })] }))).toEqual([
      'info table-oversize public.t size',
    ]);
    expect(
      await told(oversize, snapshotOf({ tables: [tableRow({ main_pages: 7e7, is_partition: true })] })),
    ).toEqual([]);
    expect(
      await told(oversize, snapshotOf({ tables: [tableRow()], columns: [columnRow({ attnum: 1300 })] })),
    ).toEqual(['medium table-oversize public.t columns']);
  });
});

describe('roles and versions', () => {
  const routine = {
    oid: 1,
    schema: 'public',
    name: 'f',
    owner_is_superuser: true,
    sets_search_path: false,
    public_may_execute: true,
    identity_arguments: 'a integer',
    is_parsed_early: false,
  };
  test('SECURITY DEFINER: not with a search_path, not where the body is parsed early; overloads are two', async () => {
    expect(
      await told(
        definer,
        withInstance({
          definer_functions: [
            routine,
            { ...routine, oid: 2, identity_arguments: '', public_may_execute: false },
          ],
        }),
      ),
    ).toEqual(['high definer-search-path public.f(a integer)', 'medium definer-search-path public.f()']);
    expect(
      await told(
        definer,
        withInstance({
          definer_functions: [
            { ...routine, sets_search_path: true },
            { ...routine, is_parsed_early: true },
          ],
        }),
      ),
    ).toEqual([]);
  });
  test('superusers: a pool of sessions, and many', async () => {
    const role = {
      oid: 10,
      name: 'postgres',
      is_superuser: true,
      can_login: true,
      can_replicate: true,
      bypasses_rls: true,
      connection_limit: -1,
      valid_until: null,
    };
    const group = {
      backend_type: 'client backend',
      database: 'app',
      user: 'postgres',
      application_name: 'web',
      state: 'idle',
      wait_event_type: null,
      wait_event: null,
      query_id: null,
      sessions: 9,
    };
    const of = (application_name: string, roles = [role], managed_service: string | null = null) =>
      withInstance(
        { roles },
        {
          server: { managed_service },
          activity: { ...noActivity, groups: [{ ...group, application_name }] },
        },
      );
    expect(await told(superusers, of('web'))).toEqual(['medium superusers application postgres']);
    expect(await told(superusers, of('pg_dump'))).toEqual([]);
    expect(await told(superusers, of('web', [role], 'rds'))).toEqual([]);
    expect(
      await told(
        superusers,
        of(
          'psql',
          [11, 12, 13].map((oid) => ({ ...role, oid, name: `s${oid}` })),
        ),
      ),
    ).toEqual(['info superusers count']);
  });
  test('extensions: numbers, not texts', async () => {
    expect([
      isBefore('1.9', '1.10'),
      isBefore('1.10', '1.9'),
      isBefore('1.10', '1.10'),
      isBefore('3.4.0dev', '3.5'),
    ]).toEqual([true, false, false, false]);
    const of = (installed_version: string) =>
      withInstance({ extensions: [{ name: 'pg_trgm', installed_version, default_version: '1.6' }] });
    expect(await told(extensions, of('1.5'))).toEqual(['info extension-outdated pg_trgm']);
    expect(await told(extensions, of('1.6'))).toEqual([]);
    expect(await told(extensions, of('1.10'))).toEqual([]);
  });
  test('the server by the date of the snapshot', async () => {
    const of = (server_version_num: number, taken_at: string, managed_service: string | null = null) =>
      snapshotOf({ taken_at, server: { server_version_num, managed_service } });
    expect(await told(version, of(180099, '2026-06-01T00:00:00Z'))).toEqual([]);
    const limits = async (at: string) =>
      (await evaluated(version, of(180099, at))).limits.map(({ code }) => code);
    expect(await limits('2026-06-01T00:00:00Z')).toEqual([]);
    expect(await limits('2026-12-01T00:00:00Z')).toEqual(['releases_not_known']);
    expect(await told(version, of(140099, '2026-06-01T00:00:00Z'))).toEqual(['info server-version major 14']);
    expect(await told(version, of(140099, '2026-12-01T00:00:00Z'))).toEqual([
      'medium server-version major 14',
    ]);
    expect(await told(version, of(180001, '2026-12-01T00:00:00Z'))).toEqual([
      'low server-version minor of 18',
    ]);
    expect(await told(version, of(180001, '2026-12-01T00:00:00Z', 'rds'))).toEqual([]);
    expect(await told(version, of(990001, '2026-12-01T00:00:00Z'))).toEqual([]);
  });
  test('collations of this database and of its indexes', async () => {
    const database = {
      oid: 5,
      name: 'app',
      connection_limit: -1,
      encoding: 'UTF8',
      collation_version: '2.31',
      collation_actual_version: '2.36',
    };
    const collation = {
      oid: 9,
      schema: 'pg_catalog',
      name: 'de-x-icu',
      provider: 'i',
      is_deterministic: true,
      version: '153.14',
      actual_version: '153.120',
    };
    expect(await told(collations, withInstance({ databases: [database], collations: [collation] }))).toEqual([
      'high collation-version database app',
      'high collation-version collation pg_catalog.de-x-icu',
    ]);
    const same = { ...database, collation_version: null };
    expect(
      await told(collations, withInstance({ databases: [same, { ...database, name: 'other' }] })),
    ).toEqual([]);
  });
});

describe('settings', () => {
  test('planner methods: those on by default, and not a session’s own', async () => {
    const of = (...rows: ReturnType<typeof settingRow>[]) => withSettings(snapshotOf(), ...rows);
    expect(await told(methods, of(settingRow('enable_nestloop', 'off')))).toEqual([
      'medium planner-method-disabled server enable_nestloop',
    ]);
    expect(
      await told(methods, of(settingRow('enable_partitionwise_join', 'off', { boot_val: 'off' }))),
    ).toEqual([]);
    for (const source of ['session', 'database', 'user', 'database user']) {
      expect(await told(methods, of(settingRow('enable_seqscan', 'off', { source })))).toEqual([]);
    }
    const override = {
      ...of(settingRow('enable_nestloop', 'on')),
      setting_overrides: [{ role: 'r', database: null, name: 'enable_nestloop', value: 'off' }],
    };
    expect(await told(methods, override)).toEqual(['low planner-method-disabled the role r enable_nestloop']);
  });
  test('a silent log is one finding; the timeout only where somebody idles', async () => {
    const timeout = settingRow('idle_in_transaction_session_timeout', '0', { vartype: 'integer' });
    const silent = withSettings(
      snapshotOf(),
      timeout,
      settingRow('log_lock_waits', 'off', { boot_val: 'off' }),
      settingRow('log_temp_files', '-1', { vartype: 'integer', unit: 'kB', boot_val: '-1' }),
    );
    expect(await told(logging, silent)).toEqual(['info logging-and-timeouts logging']);
    // What the rules of the area settings propose is theirs; what somebody switched off they never question.
    const off = withSettings(silent, settingRow('log_checkpoints', 'off', { boot_val: 'on' }));
    expect(await told(logging, off)).toEqual([
      'info logging-and-timeouts logging',
      'info logging-and-timeouts logging switched off',
    ]);
    const { yields } = await evaluated(logging, off);
    expect([...(yields ?? [])]).toEqual([
      ['finding logging-and-timeouts logging', ['setting log_lock_waits', 'setting log_temp_files']],
    ]);
    const idler = session({ state: 'idle in transaction', state_change: ago(600) });
    const idle = withSettings(snapshotOf({ activity: { ...noActivity, sessions: [idler] } }), timeout);
    expect(await told(logging, idle)).toEqual([
      'low logging-and-timeouts idle_in_transaction_session_timeout',
    ]);
  });
  test('huge pages: what the server got (17), else what it was told', async () => {
    const of = (pages: string, asked: string, status?: string) =>
      withSettings(
        snapshotOf({ settings: { shared_buffers: pages } }),
        settingRow('huge_pages', asked, { vartype: 'enum' }),
        ...(status ? [settingRow('huge_pages_status', status, { vartype: 'enum' })] : []),
      );
    expect(await told(hugePages, of('2097152', 'try', 'off'))).toEqual(['low huge-pages huge_pages']);
    expect(await told(hugePages, of('2097152', 'off'))).toEqual(['low huge-pages huge_pages']);
    expect(await told(hugePages, of('2097152', 'try', 'on'))).toEqual([]);
    expect(await told(hugePages, of('16384', 'off'))).toEqual([]);
    expect((await evaluated(hugePages, of('2097152', 'try'))).limits[0]?.code).toBe('huge_pages_not_visible');
  });
});
