/** Storage parameters, VACUUM and ANALYZE against the catalog as it is now. */
import { type Change, quoteQualified, type ReloptionsOfTable, reloptionsByTable } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { isAllowedReloption } from './allowed.ts';
import type { Checked, Drift } from './drift.ts';
import { notOwned } from './index-rights.ts';
import { findRelation, type Relation } from './relation.ts';

const TOAST = 'toast.';

/** The value of a storage parameter on the table itself or, with the prefix, on its TOAST table; null: not set. */
export function reloptionOf(
  relation: Pick<Relation, 'reloptions' | 'toast_reloptions'>,
  name: string,
): string | null {
  return name.startsWith(TOAST)
    ? (relation.toast_reloptions[name.slice(TOAST.length)] ?? null)
    : (relation.reloptions[name] ?? null);
}

/** All tables of the change. */
export async function checkReloptions(
  session: TargetSession,
  change: Extract<Change, { kind: 'table.reloptions' }>,
): Promise<Checked> {
  const checked: Checked[] = [];
  for (const one of reloptionsByTable(change)) checked.push(await checkOne(session, one));
  return {
    drift: checked.flatMap(({ drift }) => drift),
    table_oid: checked[0]?.table_oid ?? null,
    more_oids: checked.slice(1).flatMap(({ table_oid }) => table_oid ?? []),
  };
}

async function checkOne(session: TargetSession, change: ReloptionsOfTable): Promise<Checked> {
  const table = quoteQualified(change.schema, change.table);
  const relation = await findRelation(session, change.schema, change.table);
  if (!relation) return gone(table);
  const drift: Drift[] = [];
  if (relation.relkind === 'p') {
    drift.push({
      code: 'not_supported_yet',
      message: `${table} is partitioned and has no storage parameters; set them on its partitions.`,
    });
  } else if (!['r', 'm'].includes(relation.relkind)) {
    drift.push({ code: 'relation_changed', message: `${table} is no table any more.` });
  }
  if (!relation.owned) drift.push(notOwned(table, relation));
  for (const [name, value] of Object.entries(change.wanted)) {
    const now = reloptionOf(relation, name);
    const then = change.previous[name] ?? null;
    if (!isAllowedReloption(name)) {
      drift.push({ code: 'reloption_not_allowed', message: `PgLuthier does not change ${name}.` });
    } else if (now === value) {
      drift.push({
        code: 'already_applied',
        message: `${name} of ${table} is ${value ?? 'not set'} already.`,
      });
    } else if (now !== then) {
      drift.push({
        code: 'reloptions_changed',
        message: `${name} of ${table} was ${then ?? 'not set'} when advised and is ${now ?? 'not set'} now.`,
      });
    }
  }
  return { drift, table_oid: relation.oid };
}

export async function checkVacuum(
  session: TargetSession,
  change: Extract<Change, { kind: 'vacuum' }>,
): Promise<Checked> {
  return checkMaintenance(session, change, 'VACUUM', ['r', 'm', 'p']);
}

export async function checkAnalyze(
  session: TargetSession,
  change: Extract<Change, { kind: 'analyze' }>,
): Promise<Checked> {
  return checkMaintenance(session, change, 'ANALYZE', ['r', 'm', 'p', 'f']);
}

async function checkMaintenance(
  session: TargetSession,
  change: Extract<Change, { kind: 'analyze' | 'vacuum' }>,
  command: string,
  relkinds: readonly string[],
): Promise<Checked> {
  const table = quoteQualified(change.schema, change.table);
  const relation = await findRelation(session, change.schema, change.table);
  if (!relation) return gone(table);
  const drift: Drift[] = [];
  if (!relkinds.includes(relation.relkind)) {
    drift.push({ code: 'relation_changed', message: `${table} is no table any more.` });
  }
  // Without the right both only warn and do nothing.
  if (!relation.may_maintain) {
    drift.push({
      code: 'missing_privilege',
      message: `This role may not ${command} ${table}; grant it ${relation.owner} or, from 17 on, MAINTAIN on the table.`,
    });
  }
  return { drift, table_oid: relation.oid };
}

function gone(table: string): Checked {
  return {
    drift: [{ code: 'relation_missing', message: `There is no table ${table} any more.` }],
    table_oid: null,
  };
}
