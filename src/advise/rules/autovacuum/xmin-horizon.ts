/** Who holds the xmin horizon: named before any tuning, for as long as it lasts vacuum removes nothing. */
import type { RecommendationDraft, Rule, RuleContext } from '../../../domain/index.ts';
import { churnOf } from '../../autovacuum/churn.ts';
import { judgeDeadTrigger } from '../../autovacuum/dead-trigger.ts';
import { duration, type Holder, holdersOf, holdsLong, horizonLimits } from '../../autovacuum/horizon.ts';
import { rowsOf } from '../../autovacuum/options.ts';
import { count } from '../../autovacuum/table-draft.ts';
import { findingDraft } from '../../health/finding.ts';
import { computed, measured } from '../../settings/facts.ts';

const ID = 'autovacuum/xmin-horizon';
/** Without a table that suffers, only what has held for so long is worth a line. */
const LONG_SECONDS = 3_600;
const MINIMUM_ROWS = 50_000;
const NAMED = 5;

const REMEDY: Record<Holder['kind'], (name: string) => string> = {
  session: (name) =>
    `Commit or roll back there, or SELECT pg_terminate_backend(${name}); then idle_in_transaction_session_timeout (17 and newer: transaction_timeout) keeps it from coming back.`,
  prepared_transaction: (name) =>
    `COMMIT PREPARED or ROLLBACK PREPARED '${name.replaceAll("'", "''")}': ask the transaction manager that left it first.`,
  replication_slot: (name) =>
    `Bring its consumer back, or SELECT pg_drop_replication_slot('${name.replaceAll("'", "''")}'): what it feeds has to be set up anew then.`,
  standby: (name) =>
    `A query on the standby ${name} holds it through hot_standby_feedback: end that, or bound queries there (statement_timeout, max_standby_streaming_delay).`,
};

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'Something holds the xmin horizon: vacuum removes nothing newer',
  description:
    'Names transactions, prepared transactions, slots and standbys that hold rows of this database: those for which a ' +
    'vacuum left more dead rows than its trigger, those older than the time in which a churned table fills its trigger ' +
    '(15 minutes at least), and any of an hour and more. Sessions of other databases, running VACUUMs and the ' +
    'catalog_xmin of slots hold no rows of its tables and are left out (ComputeXidHorizons() of procarray.c). While a ' +
    'holder explains a table, the rules that tune its vacuums reject with horizon_held.',
  evaluate: (context) => {
    const holders = holdersOf(context);
    if (holders.length === 0) {
      return { recommendations: [], rejections: [], limits: horizonLimits(context.snapshot, ID) };
    }
    const suffering = sufferers(context);
    return {
      recommendations: holders.flatMap((holder) => {
        const tables = suffering.filter(
          (one) => one.holder.kind === holder.kind && one.holder.name === holder.name,
        );
        return tables.length > 0 || holdsLong(holder, LONG_SECONDS) ? [finding(holder, tables, context)] : [];
      }),
      rejections: [],
      limits: horizonLimits(context.snapshot, ID),
    };
  },
};

interface Sufferer {
  table: string;
  dead: number;
  reason: string;
  holder: Holder;
}

function sufferers(context: RuleContext): Sufferer[] {
  return context.snapshot.tables.flatMap((table) => {
    if (!['r', 'm'].includes(table.relkind) || rowsOf(table) < MINIMUM_ROWS) return [];
    const churn = churnOf(table, context);
    if (churn === null || (churn.dead === 0 && table.n_dead_tup === 0)) return [];
    const judged = judgeDeadTrigger(table, churn, context);
    if ('code' in judged || !judged.explained?.holder) return [];
    const { holder, reason } = judged.explained;
    return [{ table: `${table.schema}.${table.name}`, dead: table.n_dead_tup, reason, holder }];
  });
}

function finding(holder: Holder, tables: readonly Sufferer[], context: RuleContext): RecommendationDraft {
  const session = context.snapshot.activity.sessions.find(({ pid }) => String(pid) === holder.name);
  const dead = tables.reduce((sum, table) => sum + table.dead, 0);
  const kind = holder.kind.replaceAll('_', ' ');
  const suffers =
    tables.length === 0
      ? 'No table suffers from it yet.'
      : `${tables.length} table(s) keep ${count(dead)} dead rows meanwhile (${tables
          .slice(0, NAMED)
          .map(({ table }) => table)
          .join(', ')}${tables.length > NAMED ? ', …' : ''}): their vacuums read them again and again.`;
  return findingDraft({
    rule: ID,
    key: `finding xmin horizon ${holder.kind} ${holder.name}`,
    title: `The ${kind} ${holder.name} keeps vacuum from removing dead rows`,
    rationale: `Every row version that died since it began stays, in all tables of this database, whatever the settings of autovacuum are. ${suffers} No change of triggers is advised for them while it lasts.`,
    severity: tables.length > 0 ? 'high' : 'medium',
    evidence: [
      measured(
        'age of what it holds',
        holder.xmin_age,
        'transactions',
        'age of its xmin, or of its own transaction',
      ),
      ...(holder.held_seconds === null
        ? []
        : [
            computed(
              'held for',
              holder.held_seconds,
              's',
              `since it began, or its age in transactions at their observed rate, whichever is less: ${duration(holder.held_seconds)}`,
            ),
          ]),
      ...(holder.since === null
        ? []
        : [measured('began', holder.since, null, 'xact_start, prepared or inactive_since')]),
      ...(holder.kind === 'session' && session
        ? [
            measured(
              'session',
              `${session.user ?? '?'}, ${session.application_name ?? 'no application name'}, ${session.state ?? session.backend_type}`,
              null,
              'pg_stat_activity',
            ),
          ]
        : []),
      ...tables
        .slice(0, NAMED)
        .map(({ table, dead: rows }) =>
          measured(`dead rows of ${table}`, rows, 'rows', 'pg_stat_user_tables.n_dead_tup'),
        ),
      ...tables.slice(0, 1).map(({ table, reason }) => measured(`why ${table}`, reason, null, 'snapshot')),
    ],
    restart: false,
    notes: [REMEDY[holder.kind](holder.name)],
  });
}
