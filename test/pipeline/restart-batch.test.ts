/** Settings that need a restart, written together on servers that are really restarted. */
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderRestartBatch } from '../../src/commands/restart-batch.ts';
import type { Change, Journal } from '../../src/domain/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import {
  applyInWindow,
  collectTarget,
  recoverApplies,
  restartBatch,
  verifyAllApplied,
} from '../../src/pipeline/index.ts';
import { type Advised, advisedOn } from './advised.ts';

const BEFORE = { shared_buffers: '32MB', max_worker_processes: '8', wal_buffers: '1MB' };
const WANTED = { shared_buffers: '48MB', max_worker_processes: '12', wal_buffers: '2MB' };
type Name = keyof typeof WANTED;
const NAMES = Object.keys(WANTED) as Name[];

const change = (name: Name, value = WANTED[name]): Change => ({
  kind: 'setting',
  name,
  value,
  current_value: BEFORE[name],
  context: 'postmaster',
});

describe.each([15, 18])('a batch for one restart on PostgreSQL %i', (major) => {
  let server: EmbeddedServer;
  let at: Advised;
  beforeAll(async () => {
    server = await startEmbedded({
      light: 'disk',
      major,
      name: `batch${major}`,
      settings: { ...BEFORE, shared_preload_libraries: 'pg_stat_statements' },
    });
    at = await advisedOn(server.dsn('postgres'), () => server.stop('immediate'));
    await at.client.query('CREATE EXTENSION pg_stat_statements');
    await collectTarget(at.service.services, at.targetId);
  });
  afterAll(() => at?.close());

  const path = () => `${at.base}/restart-batch`;
  const waiting = async () => (await at.service.ask('GET', path())).body;
  const idle = () => at.service.services.background.idle();
  /** In postgresql.auto.conf, by name. */
  const written = async () => {
    const { rows } = await at.client.query<{ name: string; setting: string }>(
      "SELECT name, setting FROM pg_file_settings WHERE sourcefile ~ 'postgresql.auto.conf$' ORDER BY name",
    );
    return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  };
  let round = 0;
  const ids = () => NAMES.map((name) => `${name}_${round}`);
  /** Advice of this round, approved. */
  async function approved(over: Partial<Record<Name, string>> = {}): Promise<void> {
    round += 1;
    for (const name of NAMES) {
      const it = await at.propose(`${name}_${round}`, change(name, over[name]));
      const { plan_hash } = (await at.service.ask('GET', it)).body;
      const { status } = await at.service.ask('POST', `${it}/approve`, { plan_hash });
      expect(status).toBe(200);
    }
  }
  const revoke = async () => {
    for (const id of ids()) {
      await at.service.ask('POST', `${at.base}/recommendations/${id}/revoke-approval`);
    }
  };
  const applies = async () =>
    ((await at.service.ask('GET', `${at.base}/applies`)).body.items as Record<string, unknown>[]).filter(
      ({ recommendation_id }) => ids().includes(String(recommendation_id)),
    );
  const begin = async () =>
    at.service.ask('POST', `${path()}/apply`, { batch_hash: (await waiting()).batch_hash });

  it('is listed with its worst case as a set, and refuses another set than the one that was seen', async () => {
    expect(await waiting()).toMatchObject({ batch_hash: null, members: [], memory: null });
    await approved();
    const seen = await waiting();
    expect((seen.members as { name: string }[]).map(({ name }) => name).sort()).toEqual(NAMES.toSorted());
    const memory = seen.memory as { worst_case_before: number; worst_case_after: number; fits: boolean };
    // 16 MB of buffers and 1 MB of WAL buffers more; max_parallel_workers stays at 8.
    expect(memory.worst_case_after - memory.worst_case_before).toBe(17 * 2 ** 20);
    const text = renderRestartBatch(await restartBatch(at.service.services, at.targetId));
    expect(text).toContain('shared_buffers: 32MB -> 48MB (approved)');
    expect(text).toContain('Worst-case memory');
    await at.service.ask('POST', `${at.base}/recommendations/${ids()[0]}/revoke-approval`);
    const { status, body } = await at.service.ask('POST', `${path()}/apply`, {
      batch_hash: seen.batch_hash,
    });
    expect([status, body.code]).toEqual([409, 'batch_changed']);
    await revoke();
    const none = await at.service.ask('POST', `${path()}/apply`, { batch_hash: seen.batch_hash });
    expect(none.body.code).toBe('batch_empty');
  });

  it('does not begin where the set does not fit into memory, nor where one of it has drifted', async () => {
    await approved({ shared_buffers: '512GB' });
    const large = await begin();
    // Bounds are checked first on machines with less.
    expect(['batch_memory_exceeded', 'target_drifted']).toContain(large.body.code);
    await revoke();
    await approved();
    await at.client.query("ALTER SYSTEM SET wal_buffers = '3MB'");
    await at.client.query('SELECT pg_reload_conf()');
    await expect
      .poll(() => at.value("SELECT pending_restart FROM pg_settings WHERE name = 'wal_buffers'"))
      .toBe(true);
    const drifted = await begin();
    expect([drifted.status, drifted.body.code]).toEqual([409, 'target_drifted']);
    expect(await applies()).toEqual([]);
    await at.client.query('ALTER SYSTEM RESET wal_buffers');
    await at.client.query('SELECT pg_reload_conf()');
    await expect
      .poll(() => at.value("SELECT pending_restart FROM pg_settings WHERE name = 'wal_buffers'"))
      .toBe(false);
    await revoke();
  });

  /** Begins a batch; `each` is called before a row of any journal is written, with its number and purpose. */
  async function run(each: (number: number, purpose: string) => Promise<void>): Promise<void> {
    const { applies: store } = at.service.services.store;
    const real = store.journal;
    let number = 0;
    store.journal = (targetId, applyId): Journal => {
      const journal = real(targetId, applyId);
      return {
        ...journal,
        intend: async (entry) => {
          number += 1;
          await each(number, entry.purpose);
          return journal.intend(entry);
        },
      };
    };
    try {
      expect((await begin()).status).toBe(202);
      await idle();
    } finally {
      store.journal = real;
    }
  }

  it('takes all back where one cannot be written', async () => {
    await approved();
    const directory = String(await at.value('SHOW data_directory'));
    const inTheWay = join(directory, 'postgresql.auto.conf.tmp');
    // Two rows a member: from the second member's statement on ALTER SYSTEM has no file to write to, until the clean-up.
    await run(async (number, purpose) => {
      if (number === 4) await mkdir(inTheWay);
      if (purpose === 'cleanup') await rmdir(inTheWay).catch(() => {});
    });
    expect(await written()).toEqual({});
    const codes = (await applies()).map(({ state, outcome }) => [state, (outcome as { code: string }).code]);
    expect(codes.toSorted()).toEqual([
      ['failed', 'batch_taken_back'],
      ['failed', 'batch_taken_back'],
      ['failed', 'statement_failed'],
    ]);
    for (const id of ids()) expect(await at.stateOf(id)).toBe('failed');
    expect(await waiting()).toMatchObject({ pending_restart: [], batches: [{ state: 'failed' }] });
  });

  it('is whole or nothing wherever it is interrupted', async () => {
    const rows = 3 * NAMES.length;
    // Each row on one major, the middle and the end of the writing on the other.
    const points = major === 15 ? Array.from({ length: rows }, (_, at) => at + 1) : [4, 6, 7];
    for (const last of points) {
      await approved();
      await run(async (number) => {
        if (number >= last) throw new Error('killed');
      });
      expect((await applies()).every(({ state }) => state === 'running')).toBe(true);
      await recoverApplies(at.service.services, 0);
      const states = new Set((await applies()).map(({ state }) => state));
      const whole = last > 2 * NAMES.length;
      expect([...states], `interrupted at row ${last}`).toEqual([whole ? 'verifying' : 'failed']);
      expect(Object.keys(await written()).sort()).toEqual(whole ? NAMES.toSorted() : []);
      await recoverApplies(at.service.services, 0);
      expect(new Set((await applies()).map(({ state }) => state))).toEqual(states);
      for (const name of NAMES) await at.client.query(`ALTER SYSTEM RESET ${name}`);
      await at.client.query('SELECT pg_reload_conf()');
      await expect
        .poll(() => at.value('SELECT count(*)::int FROM pg_settings WHERE pending_restart'))
        .toBe(0);
    }
    expect(await at.service.services.store.applies.listOpen()).toEqual([]);
  });

  it('begins once however many ask, in its window, shows what waits, and is verified after the restart', async () => {
    await approved();
    const policy = {
      // A window of a day ends at midnight, whatever begins then.
      windows: ['00:00', '12:00'].map((at) => ({
        days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
        from: at,
        to: at,
        time_zone: 'UTC',
      })),
    };
    expect((await at.service.ask('PUT', `${at.base}/apply-policy`, policy)).status).toBe(200);
    for (const id of ids()) {
      expect((await at.service.ask('POST', `${at.base}/recommendations/${id}/schedule`)).status).toBe(200);
    }
    const { services } = at.service;
    const results = await Promise.all([1, 2, 3].map(() => applyInWindow(services, { id: at.targetId })));
    expect(results.map(({ started }) => started).sort()).toEqual([0, 0, NAMES.length]);
    await idle();
    const mine = await applies();
    expect(mine.map(({ state }) => state)).toEqual(NAMES.map(() => 'verifying'));
    expect(new Set(mine.map(({ batch_id }) => batch_id)).size).toBe(1);
    expect(await written()).toEqual(WANTED);
    await collectTarget(at.service.services, at.targetId);
    const shown = await waiting();
    expect((shown.pending_restart as { name: string }[]).map(({ name }) => name).sort()).toEqual(
      NAMES.toSorted(),
    );
    expect(shown.members).toEqual([]);
    expect((shown.batches as { state: string }[])[0]?.state).toBe('written');
    // However late it is: the restart is not ours to be late with.
    const late = { ...at.service.services, now: () => new Date(Date.now() + 100 * 3_600_000) };
    await verifyAllApplied(late, at.targetId);
    for (const apply of await applies()) {
      expect(apply).toMatchObject({ state: 'verifying', restarted_at: null });
      expect(JSON.stringify(apply.verdict)).toContain('waits for a restart');
    }

    await at.client.end();
    await server.restart();
    at.client = new pg.Client({ connectionString: server.dsn('postgres') });
    await at.client.connect();
    const first = await collectTarget(at.service.services, at.targetId);
    await collectTarget(at.service.services, at.targetId);
    await verifyAllApplied(at.service.services, at.targetId);
    const started = ((await at.value('SELECT pg_postmaster_start_time()')) as Date).getTime();
    for (const apply of await applies()) {
      expect(Date.parse(String(apply.restarted_at))).toBe(started);
      expect(apply.after_snapshot_id).toBe(first.id);
      expect(JSON.stringify(apply.verdict)).toContain('is in force');
    }
    // No window shows what more workers did: in force is enough.
    expect(await at.stateOf(`max_worker_processes_${round}`)).toBe('succeeded');
    expect(await at.stateOf(`shared_buffers_${round}`)).toBe('verifying');
    expect(await at.service.services.store.audit.verify()).toMatchObject({ ok: true });
  });
});
