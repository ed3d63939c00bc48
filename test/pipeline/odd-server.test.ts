/** Servers whose own rules stand in the way: no ALTER SYSTEM, files edited by hand, a synchronous standby that is lost. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Change } from '../../src/domain/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { until } from '../apply/target.ts';
import { type Advised, advisedOn } from './advised.ts';

let server: EmbeddedServer;
let at: Advised;
let directory: string;
beforeAll(async () => {
  server = await startEmbedded({
    light: 'memory',
    major: 18,
    name: 'odd',
    settings: { shared_preload_libraries: 'pg_stat_statements', logging_collector: 'on' },
  });
  at = await advisedOn(server.dsn(), () => server.stop());
  await at.client.query('CREATE EXTENSION pg_stat_statements');
  await at.client.query('CREATE TABLE items (a int)');
  directory = String(await at.value('SHOW data_directory'));
});
afterAll(() => at?.close());

/** Into a file as an editor would, and read by the server when this returns. */
async function edited(file: string, lines: string): Promise<void> {
  const loaded = String(await at.value('SELECT pg_conf_load_time()::text'));
  await appendFile(join(directory, file), lines);
  await at.client.query('SELECT pg_reload_conf()');
  await until(async () => String(await at.value('SELECT pg_conf_load_time()::text')) !== loaded);
}
const workMem = (value: string, current_value: string): Change => ({
  kind: 'setting',
  name: 'work_mem',
  value,
  current_value,
  context: 'user',
});
const planOf = async (path: string) => (await at.service.ask('GET', `${encodeURI(path)}/plan`)).body;

it('several entries of one setting, spelled as it pleased: the way back is the one that counted', async () => {
  await edited('postgresql.auto.conf', "work_mem = '5MB'\nWork_Mem = '7MB'\n");
  const applied = await at.applyNow(await at.propose('twice', workMem('9MB', '7MB')));
  expect(applied).toMatchObject({
    state: 'verifying',
    outcome: { facts: { in_force: true, previous_entry: '7MB' } },
  });
});

it('a server that allows no ALTER SYSTEM: the plan says so, and the approval stands', async () => {
  await edited('postgresql.conf', 'allow_alter_system = off\n');
  const path = await at.propose('managed', workMem('10MB', '9MB'));
  const { plan_hash } = await planOf(path);
  await at.service.ask('POST', `${path}/approve`, { plan_hash });
  expect(await planOf(path)).toMatchObject({ drift: [{ code: 'alter_system_not_allowed' }] });
  expect((await at.service.ask('POST', `${path}/apply`)).body).toMatchObject({
    status: 409,
    code: 'target_drifted',
    approval_void: false,
  });
  await edited('postgresql.conf', 'allow_alter_system = on\n');
  expect((await at.applyNow(await at.propose('managed again', workMem('11MB', '9MB')))).state).toBe(
    'verifying',
  );
});

it('a lost synchronous standby: nothing begins but ALTER SYSTEM; what runs says that it waits, can be ended, and says what that left', async () => {
  const index: Change = {
    kind: 'index.create',
    index: {
      schema: 'public',
      table: 'items',
      name: 'items_a',
      method: 'btree',
      unique: false,
      keys: [
        { column: 'a', expression: null, opclass: null, collation: null, direction: 'asc', nulls: null },
      ],
      include: [],
      where: null,
      options: {},
    },
  };
  const path = await at.propose('index', index);
  const { plan_hash } = await planOf(path);
  await at.service.ask('POST', `${path}/approve`, { plan_hash });
  // It is lost after the last look.
  const { create } = at.service.services.store.applies;
  at.service.services.store.applies.create = async (...given) => {
    await edited('postgresql.conf', "synchronous_standby_names = 'ghost'\n");
    return create(...given);
  };
  const { body: apply } = await at.service.ask('POST', `${path}/apply`);
  at.service.services.store.applies.create = create;
  const applyPath = `${at.base}/applies/${apply.id}`;
  await until(async () => {
    const progress = (await at.service.ask('GET', applyPath)).body.progress as { phase?: string } | null;
    return progress?.phase === 'waiting for a synchronous standby';
  });
  const beside = await at.propose('beside', { kind: 'analyze', schema: 'public', table: 'items' });
  for (const names of ["'ghost'", "'FIRST 2 (ghost, other)'", "'ANY 1 (*)'"]) {
    await edited('postgresql.conf', `synchronous_standby_names = ${names}\n`);
    expect(await planOf(beside)).toMatchObject({
      would_start: false,
      refusals: [
        { code: 'sync_standby_missing', message: expect.stringMatching(names.includes('2') ? / 2 / : / 1 /) },
      ],
    });
  }
  expect((await planOf(await at.propose('setting', workMem('12MB', '11MB')))).refusals).toEqual([]);
  // The server ends the wait, not the commit: the index is there, and the apply says so.
  expect((await at.service.ask('POST', `${applyPath}/cancel`)).status).toBe(202);
  await until(async () =>
    String(await at.value('SELECT pg_read_file(pg_current_logfile())')).includes('canceling wait for synchr'),
  );
  await edited('postgresql.conf', "synchronous_standby_names = ''\n");
  await at.service.services.background.idle();
  const { state, outcome } = (await at.service.ask('GET', applyPath)).body;
  const valid = await at.value(
    "SELECT count(*)::int FROM pg_index WHERE indexrelid = to_regclass('items_a') AND indisvalid",
  );
  const left = await at.value("SELECT count(*)::int FROM pg_index WHERE indexrelid = to_regclass('items_a')");
  expect([state, valid, left], JSON.stringify(outcome)).toEqual(
    valid === 1 ? ['verifying', 1, 1] : ['failed', 0, 0],
  );
  expect(outcome).toMatchObject({
    facts: {
      maybe_not_replicated: {
        statements: [expect.stringContaining('CREATE INDEX CONCURRENTLY') as string],
        message: expect.stringContaining('may not have been replicated') as string,
      },
    },
  });
});
