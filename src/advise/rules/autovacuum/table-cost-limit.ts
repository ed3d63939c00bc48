/** A table whose throttled vacuum takes too long for how often it is due: a cost limit of its own. */
import type { RecommendationDraft, Rule, RuleContext, TableRow } from '../../../domain/index.ts';
import type { Churn } from '../../autovacuum/churn.ts';
import { judgeDeadTrigger } from '../../autovacuum/dead-trigger.ts';
import { judgeTables, sureness } from '../../autovacuum/judged-tables.ts';
import { rowsOf } from '../../autovacuum/options.ts';
import { unitRates } from '../../autovacuum/page-budget.ts';
import { churnEvidence, replay, replayEvidence } from '../../autovacuum/replay.ts';
import { count, optionsAfter, optionsDraft } from '../../autovacuum/table-draft.ts';
import { computed, measured } from '../../settings/facts.ts';

const ID = 'autovacuum/table-cost-limit';
const MINIMUM_ROWS = 1_000_000;
const MINIMUM_CHANGES = 500;
/** A vacuum may take this share of the time between two of them, at most; and is brought down to that one. */
const TOO_LONG = 0.5;
const WANTED = 0.25;
/** Shorter ones are nobody's problem. */
const SHORT_SECONDS = 600;
const MOST_LIMIT = 10_000;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'A vacuum of a table takes as long as the next one takes to be due',
  description:
    'Fires for tables of a million rows and more whose longest vacuum in the replay, throttled by the cost limit and alone, ' +
    'takes more than ten minutes and more than half of the time between two of them. The proposed ' +
    'autovacuum_vacuum_cost_limit brings it down to a quarter; at most 10,000. A table with a limit of its own does not ' +
    'share with the other workers (AutoVacuumUpdateCostLimit() of autovacuum.c), so that it is not slowed by them either.',
  evaluate: (context) =>
    judgeTables(context, {
      rule: ID,
      concerns: (table) => table.relkind === 'r' && rowsOf(table) >= MINIMUM_ROWS,
      judge: (table, churn) => judge(table, churn, context),
      by_horizon: true,
    }),
};

function judge(
  table: TableRow,
  churn: Churn,
  context: RuleContext,
): RecommendationDraft | { code: string; reason: string } | null {
  if (churn.left < MINIMUM_CHANGES) return null;
  const judged = judgeDeadTrigger(table, churn, context);
  if ('code' in judged) return null;
  const { server, simulated, explained } = judged;
  const { own_cost_limit, own_cost_delay_ms } = simulated.parameters;
  const limit = own_cost_limit ?? server.cost.limit;
  const delay = own_cost_delay_ms ?? server.cost.delay_ms;
  if (delay <= 0) return null;
  const now = replay(table, churn, table.reloptions, context)?.before;
  if (!now || now.vacuums_a_day === 0) return null;
  const interval = 86_400 / now.vacuums_a_day;
  if (now.longest_seconds < SHORT_SECONDS || now.longest_seconds < TOO_LONG * interval) return null;
  if (explained) return { code: explained.code, reason: explained.reason };
  const wanted = Math.min(
    MOST_LIMIT,
    Math.ceil((limit * now.longest_seconds) / (WANTED * interval) / 100) * 100,
  );
  if (wanted < 2 * limit) {
    return {
      code: 'limit_high_already',
      reason: `its cost limit is ${limit} already; ${wanted} would be proposed`,
    };
  }
  const set = { autovacuum_vacuum_cost_limit: String(wanted) };
  const replayed = replay(table, churn, optionsAfter(table, set), context);
  if (replayed === null) return null;
  const { sure, caveat } = sureness(churn);
  const rate = unitRates({ ...server.cost, limit: wanted, delay_ms: delay }, server.block_size);
  return optionsDraft(table, {
    rule: ID,
    topic: 'autovacuum_vacuum_cost_limit',
    set,
    title: `A cost limit of ${count(wanted)} of its own for ${table.schema}.${table.name}, not ${count(limit)}`,
    rationale:
      `At the cost limit of ${count(limit)} its vacuum takes ${count(replayed.before.longest_seconds)} s, and one is due every ${count(interval)} s: it hardly ever ends before the next, and holds a worker all the time. ` +
      `With ${count(wanted)} it takes ${count(replayed.after.longest_seconds)} s.${caveat}`,
    severity: 'medium',
    confidence: sure ? 0.6 : 0.45,
    evidence_level: 'estimated',
    evidence: [
      ...churnEvidence(churn, table),
      measured('cost limit now', limit, 'cost units', own_cost_limit ? 'pg_class.reloptions' : 'pg_settings'),
      computed(
        'time between vacuums',
        interval,
        's',
        `86400 s / ${Number(now.vacuums_a_day.toPrecision(3))} vacuums a day of the replay`,
      ),
      computed(
        'cost limit after',
        wanted,
        'cost units',
        `${limit} × ${Math.round(now.longest_seconds)} s / (${WANTED} × ${Math.round(interval)} s), to the next 100, at most ${MOST_LIMIT}`,
      ),
      ...replayEvidence(replayed),
    ],
    notes: [
      `It may then read ${rate.read} and dirty ${rate.dirtied}: see that the disks can do that.`,
      'It no longer shares with other workers: what they may do stays as it is.',
    ],
  });
}
