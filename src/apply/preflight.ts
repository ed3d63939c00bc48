/** The target as it is now against what was approved: what drifted, what is refused, and who is in the way. */
import type { ApplyPlan, Blocker } from '../domain/index.ts';
import { PgLuthierError, tableOf } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { findBlockers } from './blockers.ts';
import type { Checked, Drift } from './drift.ts';
import { planHash } from './plan.ts';
import { checkIndexCreate, checkIndexDrop, checkReindex } from './preflight-index.ts';
import { checkScopedSetting } from './preflight-scoped-setting.ts';
import { checkSetting } from './preflight-setting.ts';
import { checkStatistics } from './preflight-statistics.ts';
import { checkAnalyze, checkReloptions, checkVacuum } from './preflight-table.ts';
import { tooLongNames } from './safe-names.ts';

/** Versions whose CREATE INDEX CONCURRENTLY and REINDEX CONCURRENTLY could corrupt an index (fixed in 14.4). */
const CORRUPTING = { from: 140000, to: 140003 };

/**
 * Checks without writing anything; the session may be read-only. Refusals (standby, missing rights, what is not
 * supported yet) are drift too, with a code of their own.
 * @throws PgLuthierError `plan_changed` when the plan is not what its hash says, `not_applicable` for a finding.
 */
export async function preflight(
  session: TargetSession,
  plan: ApplyPlan,
): Promise<{ drift: Drift[]; blockers: Blocker[] }> {
  const drift = await refusals(session, plan);
  if (drift.length > 0) return { drift, blockers: [] };
  const checked = await checkKind(session, plan);
  if (checked.drift.length > 0 || checked.table_oid === null) return { drift: checked.drift, blockers: [] };
  return {
    drift: [],
    blockers: await blockersOf(session, plan, [checked.table_oid, ...(checked.more_oids ?? [])]),
  };
}

/** The check of drift alone: what execution repeats right before it begins. */
export async function findDrift(session: TargetSession, plan: ApplyPlan): Promise<Drift[]> {
  const drift = await refusals(session, plan);
  return drift.length > 0 ? drift : (await checkKind(session, plan)).drift;
}

async function refusals(session: TargetSession, plan: ApplyPlan): Promise<Drift[]> {
  if (planHash(plan) !== plan.plan_hash) {
    throw new PgLuthierError({
      code: 'plan_changed',
      status: 409,
      message: 'The plan is not the one that was approved: its hash does not fit its statements.',
      remedy: 'Run an analysis and approve what it proposes.',
    });
  }
  if (plan.change.kind === 'finding') {
    throw new PgLuthierError({
      code: 'not_applicable',
      status: 422,
      message: 'A finding is for a person to act on; there is nothing to apply.',
    });
  }
  const [server] = await session.query<{ in_recovery: boolean; temporary: boolean | null }>(
    `SELECT pg_is_in_recovery() AS in_recovery,
            (SELECT pg_is_other_temp_schema(oid) FROM pg_namespace WHERE nspname = $1) AS temporary`,
    [tableOf(plan.change)?.schema ?? ''],
  );
  if (server?.in_recovery) {
    return [{ code: 'standby', message: 'The target is a standby; changes are made on its primary.' }];
  }
  if (server?.temporary) {
    return [
      {
        code: 'temporary_table',
        message: "The table is another session's temporary one: only that session can change it.",
      },
    ];
  }
  const version = session.server_version_num;
  const concurrently = plan.change.kind.startsWith('index.');
  if (concurrently && version >= CORRUPTING.from && version <= CORRUPTING.to) {
    return [
      {
        code: 'concurrent_index_corruption',
        message:
          'PostgreSQL 14.0 to 14.3 can corrupt indexes that are built CONCURRENTLY; update to 14.4 or later first.',
      },
    ];
  }
  return tooLongNames(plan.change);
}

function checkKind(session: TargetSession, { change }: ApplyPlan): Promise<Checked> {
  switch (change.kind) {
    case 'index.create':
      return checkIndexCreate(session, change);
    case 'index.drop':
      return checkIndexDrop(session, change);
    case 'index.reindex':
      return checkReindex(session, change);
    case 'statistics.create':
      return checkStatistics(session, change);
    case 'setting':
      return checkSetting(session, change);
    case 'role.setting':
    case 'database.setting':
    case 'role.database.setting':
      return checkScopedSetting(session, change);
    case 'table.reloptions':
      return checkReloptions(session, change);
    case 'vacuum':
      return checkVacuum(session, change);
    case 'analyze':
      return checkAnalyze(session, change);
    case 'finding':
      return Promise.resolve({ drift: [], table_oid: null });
  }
}

function blockersOf(session: TargetSession, { change }: ApplyPlan, tableOids: number[]): Promise<Blocker[]> {
  switch (change.kind) {
    case 'index.create':
      return findBlockers(session, tableOids, 'writers_and_snapshots');
    case 'index.drop':
      return findBlockers(session, tableOids, 'users');
    case 'index.reindex':
      return findBlockers(session, tableOids, 'users_and_snapshots');
    case 'table.reloptions':
    case 'statistics.create':
    case 'vacuum':
    case 'analyze':
      return findBlockers(session, tableOids, 'maintenance');
    default:
      return Promise.resolve([]);
  }
}
