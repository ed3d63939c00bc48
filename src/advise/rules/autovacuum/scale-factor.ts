/** Per-table autovacuum settings from size and churn. */
import type {
  RecommendationDraft,
  Rejection,
  Rule,
  RuleContext,
  RuleResult,
  TableRow,
} from '../../../domain/index.ts';
import { churnOf, currentTrigger, proposeTrigger } from '../../autovacuum/trigger.ts';

const ID = 'autovacuum/scale-factor';
/** Smaller tables are vacuumed in a moment, whenever that is. */
const MINIMUM_ROWS = 50_000;
/** The proposed trigger must come at least so many times earlier. */
const MINIMUM_FACTOR = 2;
/** With fewer vacuums a day than this after the change, nothing is gained by it. */
const MINIMUM_RUNS_A_DAY = 0.5;
const SHORT_WINDOW_SECONDS = 3600;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'Autovacuum comes too late for a churned table',
  description:
    'The trigger is autovacuum_vacuum_threshold + autovacuum_vacuum_scale_factor × rows. The wanted one is 1 % of the ' +
    'live rows, or what two rounds of autovacuum (naptime) leave together, at most 20 %, split into a threshold and a scale factor. Fires for tables of 50,000 ' +
    'rows and more whose present trigger is at least twice as late. Partitioned parents hold no such settings.',
  evaluate: (context) => {
    const result: RuleResult = { recommendations: [], rejections: [], limits: [] };
    for (const table of context.snapshot.tables) {
      if (!['r', 'm'].includes(table.relkind) || table.relpersistence === 't') continue;
      const judged = judge(table, context);
      if (judged === null) continue;
      if ('change' in judged) result.recommendations.push(judged);
      else result.rejections.push(judged);
    }
    return result;
  },
};

function judge(table: TableRow, context: RuleContext): RecommendationDraft | Rejection | null {
  const rows = Math.max(table.n_live_tup, table.reltuples, 0);
  if (rows < MINIMUM_ROWS) return null;
  const churn = churnOf(table, context);
  if (churn === null || churn.dead_per_hour === 0) return null;
  const present = currentTrigger(table, context.snapshot.settings, rows);
  const naptime = Number(
    context.snapshot.settings.find((row) => row.name === 'autovacuum_naptime')?.setting ?? 60,
  );
  const wanted = proposeTrigger(churn.dead_per_hour, rows, naptime);
  const runsAfter = (churn.dead_per_hour * 24) / wanted.trigger;
  const runsNow = (churn.dead_per_hour * 24) / present.trigger;
  const reject = (code: string, reason: string): Rejection => ({
    rule: ID,
    candidate: `${table.schema}.${table.name}`,
    code,
    reason,
  });
  if (present.trigger < MINIMUM_FACTOR * wanted.trigger) {
    return reject(
      'close_enough',
      `vacuum comes after ${present.trigger.toFixed(0)} dead rows already; ${wanted.trigger.toFixed(0)} would be proposed`,
    );
  }
  if (runsAfter < MINIMUM_RUNS_A_DAY) {
    return reject(
      'too_little_churn',
      `${churn.dead_per_hour.toFixed(0)} dead rows an hour do not ask for an earlier vacuum`,
    );
  }
  const set = {
    autovacuum_vacuum_scale_factor: String(wanted.scale_factor),
    autovacuum_vacuum_threshold: String(wanted.threshold),
  };
  const short = churn.seconds < SHORT_WINDOW_SECONDS;
  return {
    rule: ID,
    change: {
      kind: 'table.reloptions',
      schema: table.schema,
      table: table.name,
      set,
      previous: Object.fromEntries(Object.keys(set).map((name) => [name, table.reloptions[name] ?? null])),
    },
    key: `table.reloptions ${table.schema}.${table.name} autovacuum_vacuum`,
    title: `Vacuum ${table.schema}.${table.name} after ${Math.round(wanted.trigger).toLocaleString('en-US')} dead rows, not ${Math.round(present.trigger).toLocaleString('en-US')}`,
    rationale:
      `${Math.round(churn.dead_per_hour).toLocaleString('en-US')} rows an hour are updated or deleted, but autovacuum waits for ${Math.round(present.trigger).toLocaleString('en-US')} dead ones. ` +
      'Scans read them all until then, and the table grows to hold them.' +
      (short
        ? ` This rate was seen for ${Math.round(churn.seconds)} s only: a longer window makes it surer.`
        : ''),
    severity: 'medium',
    evidence_level: 'estimated',
    confidence: short ? 0.6 : 0.8,
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    affects: [],
    evidence: [
      {
        name: 'dead rows an hour',
        value: churn.dead_per_hour,
        unit: 'rows',
        source: churn.source,
        level: 'measured',
        formula: 'Δ(n_tup_upd + n_tup_del) / Δt',
      },
      {
        name: 'live rows',
        value: rows,
        unit: 'rows',
        source: 'pg_stat_user_tables.n_live_tup, pg_class.reltuples',
        level: 'measured',
        formula: null,
      },
      {
        name: 'dead rows now',
        value: table.n_dead_tup,
        unit: 'rows',
        source: 'pg_stat_user_tables.n_dead_tup',
        level: 'measured',
        formula: null,
      },
      {
        name: 'trigger now',
        value: present.trigger,
        unit: 'rows',
        source: present.source,
        level: 'estimated',
        formula: present.formula,
      },
      {
        name: 'trigger after',
        value: wanted.trigger,
        unit: 'rows',
        source: 'formula',
        level: 'estimated',
        formula: wanted.formula,
      },
      {
        name: 'vacuums a day now',
        value: runsNow,
        unit: 'runs',
        source: 'formula',
        level: 'estimated',
        formula: 'dead rows an hour × 24 / trigger now',
      },
      {
        name: 'vacuums a day after',
        value: runsAfter,
        unit: 'runs',
        source: 'formula',
        level: 'estimated',
        formula: 'dead rows an hour × 24 / trigger after',
      },
    ],
    risk: {
      locks: 'ShareUpdateExclusive on the table for a moment: reads and writes go on.',
      restart: false,
      reload: false,
      notes: [
        'More vacuums read more pages; autovacuum_vacuum_cost_limit shares the rate among workers.',
        'A transaction that stays open for long keeps dead rows from going, whatever the trigger: look for one first.',
      ],
    },
  };
}
