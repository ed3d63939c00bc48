/** Wraparound: databases whose identifiers age faster than they are frozen, the tables that hold them. */
import type { RecommendationDraft, Rejection, Rule, RuleContext, Severity } from '../../../domain/index.ts';
import { type Holder, holdersOf } from '../../autovacuum/horizon.ts';
import { count } from '../../autovacuum/table-draft.ts';
import { vacuumDraft } from '../../autovacuum/vacuum-draft.ts';
import {
  type Aged,
  BEHIND_FACTOR,
  daysUntil,
  STOP_AGE,
  tablesByAge,
  type WraparoundFacts,
  wraparoundFacts,
} from '../../autovacuum/wraparound.ts';
import { findingDraft } from '../../health/finding.ts';
import { computed, measured, settingNotVisible } from '../../settings/facts.ts';

const ID = 'autovacuum/wraparound';
/** Severity by the days left until the server refuses transactions that write. */
const CRITICAL_DAYS = 7;
const HIGH_DAYS = 30;
const MOST_TABLES = 10;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'Identifiers age towards wraparound',
  description:
    'The server refuses to give out identifiers 3 million before 2³¹ − 1 (SetTransactionIdLimit). Fires for each database ' +
    'whose oldest transaction or multixact is beyond 1.5 × autovacuum_freeze_max_age (autovacuum_multixact_freeze_max_age): ' +
    'critical beyond the failsafe age or with less than a week left at the rate of the window, high with less than a month. ' +
    'For tables of this database that hold the age, oldest first, a VACUUM (FREEZE) each, unless something that holds ' +
    'the horizon is as old: then that is named, for nothing can be frozen behind it.',
  evaluate: (context) => {
    const recommendations: RecommendationDraft[] = [];
    const rejections: Rejection[] = [];
    for (const counter of ['xid', 'mxid'] as const) {
      const facts = wraparoundFacts(counter, context);
      if (facts === null) {
        return {
          recommendations,
          rejections,
          limits: [settingNotVisible('autovacuum_freeze_max_age')],
        };
      }
      const behind = BEHIND_FACTOR * facts.forced_at;
      const age = counter === 'xid' ? 'datfrozenxid_age' : 'datminmxid_age';
      for (const database of context.snapshot.counters.databases) {
        if (database[age] > behind) {
          recommendations.push(emergency(database.name, database[age], facts, context));
        }
      }
      const tables = tablesByAge(context, counter);
      for (const one of tables.filter(({ age: old }) => old > behind).slice(0, MOST_TABLES)) {
        const judged = freezeNow(one, facts, context);
        if (!('change' in judged)) rejections.push(judged);
        else withDraft(recommendations, judged);
      }
    }
    return { recommendations, rejections, limits: [] };
  },
};

const GRAVEST: readonly Severity[] = ['critical', 'high', 'medium', 'low', 'info'];

/** One VACUUM (FREEZE) a table: that its multixacts are old as well is more evidence for the same statement. */
function withDraft(drafts: RecommendationDraft[], draft: RecommendationDraft): void {
  const same = drafts.find(({ key }) => key === draft.key);
  if (!same) {
    drafts.push(draft);
    return;
  }
  const known = new Set(same.evidence.map(({ name, unit }) => `${name} ${unit}`));
  same.evidence.push(...draft.evidence.filter(({ name, unit }) => !known.has(`${name} ${unit}`)));
  same.rationale = `${same.rationale} ${draft.title.replace(/^.*: its/, 'Its')}, too.`;
  same.severity = GRAVEST.find((one) => one === same.severity || one === draft.severity) ?? same.severity;
}

/** Something as old as the table itself: VACUUM cannot freeze past it. Slots hold catalogs, too. */
function heldBy(age: number, facts: WraparoundFacts, context: RuleContext): Holder | null {
  if (facts.counter === 'mxid') return null;
  return (
    holdersOf(context).find(
      ({ xmin_age }) => (xmin_age ?? 0) > facts.forced_at && (xmin_age ?? 0) > age / 2,
    ) ?? null
  );
}

function rateEvidence(age: number, facts: WraparoundFacts): RecommendationDraft['evidence'] {
  const days = daysUntil(age, STOP_AGE, facts.a_day);
  return [
    ...(facts.a_day === null ? [] : [measured(`${facts.noun} a day`, facts.a_day, facts.noun, facts.source)]),
    computed('age at which the server refuses writes', STOP_AGE, facts.noun, '2³¹ − 1 − 3,000,000'),
    ...(days === null
      ? []
      : [
          computed(
            'days until then',
            days,
            'days',
            `(2³¹ − 1 − 3,000,000 − ${age}) / ${Math.round(facts.a_day ?? 0)} a day`,
          ),
        ]),
    measured('autovacuum comes at', facts.forced_at, facts.noun, 'pg_settings'),
    measured('failsafe at', facts.failsafe_at, facts.noun, 'pg_settings'),
  ];
}

function severityOf(age: number, facts: WraparoundFacts): Severity {
  const days = daysUntil(age, STOP_AGE, facts.a_day);
  if (age > facts.failsafe_at || (days !== null && days < CRITICAL_DAYS)) return 'critical';
  return age > 2 ** 30 || (days !== null && days < HIGH_DAYS) ? 'high' : 'medium';
}

function emergency(
  database: string,
  age: number,
  facts: WraparoundFacts,
  context: RuleContext,
): RecommendationDraft {
  const days = daysUntil(age, STOP_AGE, facts.a_day);
  const holder = heldBy(age, facts, context);
  const left =
    days === null
      ? `${count(STOP_AGE - age)} ${facts.noun} are left`
      : `about ${Number(days.toPrecision(2))} days are left at the rate of the window`;
  return findingDraft({
    rule: ID,
    key: `finding wraparound ${facts.counter} ${database}`,
    title: `Database ${database} is ${count(age)} ${facts.noun} old: ${days === null ? `${count(STOP_AGE - age)} left` : `${Number(days.toPrecision(2))} days left`} until the server refuses writes`,
    rationale:
      `Autovacuum comes at ${count(facts.forced_at)} whatever its triggers are, and has not got through: ${left} until every database of the server refuses to write. ` +
      (holder
        ? `${holder.described} holds the horizon: nothing behind it can be frozen, so end it first.`
        : database === context.snapshot.server.database
          ? 'Freeze its oldest tables first: each has a VACUUM (FREEZE) of its own here.'
          : 'Look there: this analysis sees the tables of its own database only.'),
    severity: severityOf(age, facts),
    evidence: [
      measured(
        `age of database ${database}`,
        age,
        facts.noun,
        facts.counter === 'xid' ? 'age(datfrozenxid)' : 'mxid_age(datminmxid)',
      ),
      ...rateEvidence(age, facts),
      ...(holder
        ? [
            measured(
              `age of what ${holder.name} holds`,
              holder.xmin_age,
              'transactions',
              `${holder.kind}: its xmin`,
            ),
          ]
        : []),
    ],
    restart: false,
    notes: [
      'In this order: end what holds the horizon; VACUUM (FREEZE) the oldest tables; then see why autovacuum did not get there (switched off, cancelled by locks, throttled, too few workers).',
      'Single-user mode is not needed: VACUUM works until the very end, and from then on as well.',
      `Tables oldest first: SELECT oid::regclass, age(relfrozenxid), mxid_age(relminmxid) FROM pg_class WHERE relkind IN ('r', 't', 'm') ORDER BY ${facts.counter === 'xid' ? 2 : 3} DESC LIMIT 20;`,
    ],
  });
}

function freezeNow(
  { table, age, by_toast }: Aged,
  facts: WraparoundFacts,
  context: RuleContext,
): RecommendationDraft | Rejection {
  const name = `${table.schema}.${table.name}`;
  const holder = heldBy(age, facts, context);
  if (holder) {
    return {
      rule: ID,
      candidate: `VACUUM (FREEZE) ${name}`,
      code: 'horizon_held',
      reason: `${holder.described} holds the horizon: VACUUM can freeze nothing behind it; end it first`,
    };
  }
  const running = context.snapshot.activity.vacuums.find(({ table_oid }) => table_oid === table.oid);
  if (running) {
    return {
      rule: ID,
      candidate: `VACUUM (FREEZE) ${name}`,
      code: 'vacuum_running',
      reason: `a vacuum of it runs (pid ${running.pid}, ${count(running.heap_blks_scanned)} of ${count(running.heap_blks_total)} pages): a second one would wait for it`,
    };
  }
  return vacuumDraft(table, {
    rule: ID,
    freeze: true,
    analyze: false,
    title: `VACUUM (FREEZE) ${name}: its oldest ${facts.counter === 'xid' ? 'transaction' : 'multixact'} is ${count(age)} old`,
    rationale: `${by_toast ? 'Its TOAST table' : 'It'} holds the age of the database; autovacuum should have come at ${count(facts.forced_at)}. A VACUUM (FREEZE) reads its ${count(table.main_pages)} pages once and freezes every row that can be.`,
    severity: severityOf(age, facts),
    confidence: 0.9,
    evidence: [
      measured(
        `age of ${name}${by_toast ? ' (TOAST)' : ''}`,
        age,
        facts.noun,
        facts.counter === 'xid' ? 'age(relfrozenxid)' : 'mxid_age(relminmxid)',
      ),
      ...rateEvidence(age, facts),
      measured('pages to read', table.main_pages, 'pages', 'pg_relation_size'),
    ],
    notes: [],
  });
}
