/** autovacuum_vacuum_cost_limit from the pages of a day: what vacuums have to read and dirty against what they may. */
import type { Evidence, Rule, RuleContext } from '../../../domain/index.ts';
import { type PageBudget, pageBudget, unitRates } from '../../autovacuum/page-budget.ts';
import { busyForNothing, queueEvidence, queueSeen } from '../../autovacuum/queue.ts';
import { computed, measured, rejected } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'autovacuum/cost-limit';
const NAME = 'autovacuum_vacuum_cost_limit';
/** Above half of what a day allows, a bad hour leaves tables behind. */
const FULL_SHARE = 0.5;
/** Asleep for so much of its time, a running vacuum waits for its limit and not for disks. */
const ASLEEP_SHARE = 0.5;
const LONG_VACUUM_SECONDS = 600;
const MOST = 10_000;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'The cost limit holds autovacuum back',
  description:
    'The limit is shared by all workers: more of them do not do more. Fires where the vacuums and analyzes of a day, all ' +
    'tables replayed together at the observed rates, need more than half of the cost units that the limit allows, or (18, ' +
    'track_cost_delay_timing) where a vacuum of ten minutes and more was seen asleep for more than half of its time while ' +
    'all workers were busy. The limit is doubled until a day that is replayed without waiting for it needs less than half; at most 10,000. One that ' +
    'somebody chose is questioned where that was seen, or where all workers were busy and tables waited for the whole of a ' +
    'window. Quiet while something holds the xmin horizon.',
  evaluate: (context) => {
    const budget = pageBudget(context);
    const candidate = NAME;
    if (budget === null) return { recommendations: [], rejections: [], limits: [] };
    const { server, share } = budget;
    if (!(server.cost.delay_ms > 0)) {
      return rejected({
        rule: ID,
        candidate,
        code: 'not_throttled',
        reason: 'autovacuum is not throttled (its cost delay is 0)',
      });
    }
    const queue = queueSeen(context);
    const asleep = queue.all_busy ? seenAsleep(context) : [];
    if (share <= FULL_SHARE && asleep.length === 0) {
      return rejected({
        rule: ID,
        candidate,
        code: 'room_enough',
        reason: `vacuums of a day need ${(100 * share).toFixed(1)} % of what the limit allows`,
      });
    }
    const explained = busyForNothing(context);
    if (explained) return rejected({ rule: ID, candidate, ...explained });
    const { doublings, value, needed, share: shareAfter } = doubled(budget);
    const waits = queue.all_busy && queue.waited.length > 0;
    const after = unitRates({ ...server.cost, limit: value }, server.block_size);
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `${server.cost.limit} × 2^${doublings}, until a day in which nothing waits for it needs less than half of what it allows; at most ${MOST}`,
      why:
        share > FULL_SHARE
          ? `Replayed at the observed rates, vacuums and analyzes of ${budget.tables} tables need ${(100 * share).toFixed(0)} % of the cost units that a day allows: tables wait for each other.`
          : 'Vacuums were seen asleep for most of their time while all workers were busy.',
      unless: `Then vacuum may read ${after.read} or dirty ${after.dirtied}: see that the disks can do that beside the rest.`,
      severity: 'medium',
      confidence: asleep.length > 0 || waits ? 0.75 : 0.55,
      direction: 'raise',
      observed: asleep.length > 0 || waits,
      evidence: [
        computed(
          'cost units of a day',
          budget.needed_a_day,
          'cost units',
          `${budget.tables} tables replayed for ${Number(budget.outcome.days.toPrecision(2))} days: pages read × ${server.cost.page_miss} + dirtied × ${server.cost.page_dirty}${budget.left_out > 0 ? `; ${budget.left_out} tables that change less left out` : ''}`,
        ),
        computed(
          'cost units that a day allows',
          budget.allowed_a_day,
          'cost units',
          `limit ${server.cost.limit} / ${server.cost.delay_ms} ms × 86,400 s`,
        ),
        computed('share of the workers’ time at work', budget.outcome.busy_share, 'share', 'replay'),
        computed(
          'rounds with a table due and no worker free',
          budget.outcome.starved_share,
          'share',
          'replay',
        ),
        computed(
          'share of the limit that a day needs after',
          shareAfter,
          'share',
          `${Math.round(needed)} cost units of a day replayed with a limit of ${MOST}, / what ${value} allows; now ${Number(share.toPrecision(2))}`,
        ),
        ...asleep,
        ...(asleep.length > 0 || waits ? queueEvidence(queue, context) : []),
      ],
    });
  },
};

/** Where tables wait, a day takes what the limit allows and no more: only without waiting is it seen what it would take. */
function doubled({ server, allowed_a_day, needed_a_day, unitsAt }: PageBudget) {
  const needed = Math.max(needed_a_day, unitsAt(MOST));
  const doublings = Math.max(1, Math.ceil(Math.log2(needed / allowed_a_day / FULL_SHARE)));
  const value = Math.min(MOST, server.cost.limit * 2 ** doublings);
  return { doublings, value, needed, share: (needed / allowed_a_day / value) * server.cost.limit };
}

/** 18 tells how long a vacuum slept. */
function seenAsleep({ snapshot }: RuleContext): Evidence[] {
  return snapshot.activity.vacuums.flatMap(({ is_autovacuum, delay_time_ms, started_at, table_oid }) => {
    if (!is_autovacuum || delay_time_ms === null || started_at === null) return [];
    const ran = Date.parse(snapshot.taken_at) - Date.parse(started_at);
    if (ran < LONG_VACUUM_SECONDS * 1000 || delay_time_ms < ASLEEP_SHARE * ran) return [];
    const table = snapshot.tables.find(({ oid }) => oid === table_oid);
    return [
      measured(
        `time that the vacuum of ${table ? `${table.schema}.${table.name}` : `relation ${table_oid}`} slept`,
        delay_time_ms / ran,
        'share',
        `pg_stat_progress_vacuum.delay_time over ${Math.round(ran / 1000)} s`,
      ),
    ];
  });
}
