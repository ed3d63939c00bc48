/** What keeps vacuum from removing dead rows. */
import type { RuleContext, XminHolder } from '../../../domain/index.ts';
import { quoteLiteral } from '../../../domain/index.ts';
import { type Found, healthRule } from '../../health/check.ts';
import { count, elapsed, MINUTE, span } from '../../health/words.ts';
import { measured, setting } from '../../settings/facts.ts';

const OLD = 1_000_000;
const OLD_FOR = 30 * MINUTE;
/** Of slots and standbys one does not know since when; a busy server passes a million in minutes. */
const OLD_ALONE = 10_000_000;

const WHAT: Record<XminHolder['kind'], string> = {
  session: 'A session',
  replication_slot: 'The replication slot',
  prepared_transaction: 'The prepared transaction',
  standby: 'The standby',
};

export const rule = healthRule(
  'xmin-horizon',
  'Something keeps vacuum from removing dead rows',
  'The oldest xmin of sessions, prepared transactions, slots and standbys (hot_standby_feedback). Fires for sessions and ' +
    'prepared transactions that hold a million transactions and are 30 minutes old, for slots and standbys from ten ' +
    'million; high from half of autovacuum_freeze_max_age. Sessions of a database are one finding, by the oldest. What ' +
    'autovacuum/xmin-horizon names, with the tables that suffer, is left to that rule.',
  (context) => ({
    found: context.snapshot.activity.xmin_holders
      .toSorted((a, b) => ageOf(b) - ageOf(a))
      .flatMap((holder) => found(holder, context)),
  }),
);

const ageOf = ({ xmin_age, catalog_xmin_age }: XminHolder) => Math.max(xmin_age ?? 0, catalog_xmin_age ?? 0);

function found(holder: XminHolder, context: RuleContext): Found[] {
  const age = ageOf(holder);
  const dated = holder.kind === 'session' || holder.kind === 'prepared_transaction';
  const open = dated ? elapsed(holder.since, context.snapshot.taken_at) : null;
  const isOld = open === null ? age >= OLD_ALONE : age >= OLD && open >= OLD_FOR;
  if (!isOld) return [];
  const freeze = setting(context, 'autovacuum_freeze_max_age');
  const isHigh = freeze !== undefined && age >= Number(freeze.setting) / 2;
  const onlyCatalog = (holder.xmin_age ?? 0) < age;
  const name = holder.kind === 'session' ? `(pid ${holder.name})` : holder.name;
  return [
    {
      object: `${holder.kind} ${holder.kind === 'session' ? (holder.database ?? 'no database') : holder.name}`,
      yields_to: [`finding xmin horizon ${holder.kind} ${holder.name}`],
      title: `${WHAT[holder.kind]} ${name} holds back vacuum by ${count(age)} transactions`,
      rationale: `${onlyCatalog ? 'Rows of the system catalogs' : 'Rows'} that died since stay in the tables and indexes, whatever autovacuum does: tables grow, scans slow down, nothing is frozen. Tuning autovacuum is of no use before this is gone.`,
      severity: isHigh ? 'high' : 'medium',
      evidence: [
        measured('age of its xmin', holder.xmin_age, 'transactions', SOURCE[holder.kind]),
        ...(holder.catalog_xmin_age === null
          ? []
          : [
              measured(
                'age of its catalog_xmin',
                holder.catalog_xmin_age,
                'transactions',
                SOURCE[holder.kind],
              ),
            ]),
        ...(open === null ? [] : [measured('open for', span(open), null, SOURCE[holder.kind])]),
      ],
      remedy: [REMEDY[holder.kind](holder.name)],
    },
  ];
}

const SOURCE: Record<XminHolder['kind'], string> = {
  session: 'pg_stat_activity.backend_xmin',
  replication_slot: 'pg_replication_slots',
  prepared_transaction: 'pg_prepared_xacts',
  standby: 'pg_stat_replication.backend_xmin',
};

const REMEDY: Record<XminHolder['kind'], (name: string) => string> = {
  session: (pid) => `If it may be lost: SELECT pg_terminate_backend(${Number(pid)});`,
  replication_slot: (slot) =>
    `Bring its consumer back, or if nobody needs it any more: SELECT pg_drop_replication_slot(${quoteLiteral(slot)});`,
  prepared_transaction: (gid) =>
    `Ask its transaction manager, then COMMIT PREPARED ${quoteLiteral(gid)}; or ROLLBACK PREPARED ${quoteLiteral(gid)}; in its database.`,
  standby: () =>
    'End the long query on the standby, or set hot_standby_feedback = off there and accept cancelled queries.',
};
