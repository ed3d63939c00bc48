/** kill -9 of the service at each call of the journal, for each kind: what recovery says is what the catalogs show. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan, recoverApply } from '../../src/apply/index.ts';
import type { ApplyOutcome, Change } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { newJournal } from './journal.ts';
import {
  applyDatabase,
  column,
  createIndexChange,
  indexState,
  newApplyId,
  QUALIFIED,
  rows,
  TABLE,
  until,
} from './target.ts';

interface Subject {
  name: string;
  /** Makes the state before, and says what is to be done in it. */
  prepare(): Promise<Change>;
  /** Is the change's effect in the catalogs; `null`: neither before nor after. */
  effect(): Promise<boolean | null>;
  /** Rows of the journal when nothing goes wrong. */
  entries: number;
  /** Which of them is the first statement of the plan. */
  statement?: number;
}

let dsn: string;
let drop: () => Promise<void>;
beforeAll(async () => {
  ({ dsn, drop } = await applyDatabase());
});
afterAll(() => drop());

const script = fileURLToPath(new URL('chaos-process.ts', import.meta.url));

const subjects: Subject[] = [
  {
    name: 'index.create',
    entries: 2,
    prepare: async () => {
      await rows(dsn, 'DROP INDEX IF EXISTS "Shöp"."Größe Idx"');
      return createIndexChange({ keys: [{ ...column(''), column: null, expression: 'lower(status)' }] });
    },
    effect: async () => ({ valid: true, absent: false, invalid: null })[await indexState(dsn)],
  },
  {
    name: 'index.drop',
    entries: 1,
    prepare: async () => {
      await rows(dsn, `CREATE INDEX IF NOT EXISTS goes ON ${QUALIFIED} (n)`);
      const definition = `CREATE INDEX goes ON ${QUALIFIED} USING btree (n)`;
      return { kind: 'index.drop', ...TABLE, name: 'goes', definition };
    },
    effect: async () => ({ valid: false, absent: true, invalid: null })[await indexState(dsn, 'goes')],
  },
  {
    name: 'setting',
    entries: 3,
    statement: 2,
    prepare: async () => {
      await rows(dsn, "ALTER SYSTEM SET geqo_threshold = '13'");
      await rows(dsn, 'SELECT pg_reload_conf()');
      await until(async () => (await geqoThreshold()).now === '13');
      return { kind: 'setting', name: 'geqo_threshold', value: '14', current_value: '13', context: 'user' };
    },
    effect: async () => {
      const { now, entry } = await geqoThreshold();
      if (now !== entry) return null;
      return { 14: true, 13: false }[now] ?? null;
    },
  },
  {
    name: 'role.setting',
    entries: 1,
    prepare: async () => {
      const [known] = await rows(dsn, "SELECT 1 FROM pg_roles WHERE rolname = 'Chaos Réports'");
      if (!known) await rows(dsn, 'CREATE ROLE "Chaos Réports"');
      await rows(dsn, 'ALTER ROLE "Chaos Réports" SET work_mem = \'5MB\'');
      return {
        kind: 'role.setting',
        role: 'Chaos Réports',
        name: 'work_mem',
        value: '64MB',
        current_value: '5MB',
        previous: '5MB',
      };
    },
    effect: async () => {
      const [row] = await rows<{ setconfig: string[] }>(
        dsn,
        `SELECT setconfig FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE rolname = 'Chaos Réports'`,
      );
      return { 'work_mem=64MB': true, 'work_mem=5MB': false }[row?.setconfig[0] ?? ''] ?? null;
    },
  },
  {
    name: 'table.reloptions',
    entries: 1,
    prepare: async () => {
      await rows(dsn, `ALTER TABLE ${QUALIFIED} RESET (fillfactor)`);
      return {
        kind: 'table.reloptions',
        ...TABLE,
        set: { fillfactor: '77' },
        previous: { fillfactor: null },
      };
    },
    effect: async () => {
      const [row] = await rows<{ reloptions: string[] | null }>(
        dsn,
        `SELECT reloptions FROM pg_class WHERE relname = 'Order Items'`,
      );
      return row?.reloptions?.includes('fillfactor=77') ?? false;
    },
  },
  {
    name: 'vacuum',
    entries: 1,
    prepare: async () => {
      await rows(dsn, 'DROP TABLE IF EXISTS dusty');
      await rows(dsn, 'CREATE TABLE dusty AS SELECT 1 AS a');
      return { kind: 'vacuum', schema: 'public', table: 'dusty', freeze: true, analyze: false };
    },
    effect: async () => {
      const [row] = await rows<{ vacuumed: boolean }>(
        dsn,
        `SELECT pg_stat_get_last_vacuum_time(oid) IS NOT NULL AS vacuumed FROM pg_class WHERE relname = 'dusty'`,
      );
      return row?.vacuumed ?? null;
    },
  },
  {
    name: 'analyze',
    entries: 1,
    prepare: async () => {
      await rows(dsn, 'DROP TABLE IF EXISTS fresh');
      await rows(dsn, 'CREATE TABLE fresh AS SELECT 1 AS a');
      return { kind: 'analyze', schema: 'public', table: 'fresh' };
    },
    effect: async () => {
      const [row] = await rows<{ analysed: boolean }>(
        dsn,
        `SELECT EXISTS (SELECT FROM pg_stats WHERE tablename = 'fresh') AS analysed`,
      );
      return row?.analysed ?? null;
    },
  },
];

async function geqoThreshold(): Promise<{ now: string; entry: string | null }> {
  const [row] = await rows<{ now: string; entry: string | null }>(
    dsn,
    `SELECT current_setting('geqo_threshold') AS now,
            (SELECT setting FROM pg_file_settings WHERE name = 'geqo_threshold' ORDER BY seqno DESC LIMIT 1) AS entry`,
  );
  return row ?? { now: '', entry: null };
}

async function invalidIndexes(): Promise<number> {
  return (await rows(dsn, 'SELECT FROM pg_index WHERE NOT indisvalid')).length;
}

describe.each(subjects)('$name', (subject) => {
  const points = Array.from({ length: subject.entries }, (_, index) => index + 1).flatMap((call) =>
    (['intend', 'settle'] as const).flatMap((method) =>
      (['before', 'after'] as const).map((moment) => ({ method, call, moment })),
    ),
  );

  it.each(points)('killed $moment $method $call', async ({ method, call, moment }) => {
    const change = await subject.prepare();
    expect(await subject.effect()).toBe(false);
    const plan = buildPlan(change);
    const journal = newJournal();
    const applyId = newApplyId();
    const child = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        script,
        dsn,
        applyId,
        journal.path,
        JSON.stringify(plan),
        method,
        `${call}`,
        moment,
      ],
      { stdio: 'ignore' },
    );
    const [, signal] = await once(child, 'exit');
    expect(signal).toBe('SIGKILL');
    const recover = async (): Promise<ApplyOutcome | null> =>
      recoverApply({
        plan,
        apply_id: applyId,
        entries: await journal.entries(),
        dsn,
        openSession: openTarget,
        journal,
      });
    const outcome = await until(recover);
    // The outcome and the catalogs agree; a statement that ran is never run again, one that did not has no trace.
    expect(['applied', 'failed']).toContain(outcome.outcome);
    expect(await subject.effect()).toBe(outcome.outcome === 'applied');
    const statement = subject.statement ?? 1;
    const began = call > statement || (call === statement && method === 'settle');
    expect(outcome.outcome).toBe(began ? 'applied' : 'failed');
    if (outcome.outcome === 'applied' && change.kind === 'setting') {
      expect(outcome.facts.exact_rollback).toEqual([
        "ALTER SYSTEM SET geqo_threshold = '13'",
        'SELECT pg_reload_conf()',
      ]);
    }
    expect(await invalidIndexes()).toBe(0);
    const entries = await journal.entries();
    expect(entries.filter((entry) => entry.state === 'intended')).toEqual([]);
    const first = plan.statements[0];
    expect(entries.filter((entry) => entry.sql === first).length).toBeLessThanOrEqual(1);
    // Asked again, it says the same.
    expect(await until(recover)).toMatchObject({ outcome: outcome.outcome });
  });
});
