/** Statistics that are older than what the table holds, where autovacuum will not see to it, or not soon. */
import type { RecommendationDraft, Rule, RuleContext, Severity, TableRow } from '../../../domain/index.ts';
import { autovacuumEnabled, isOff, rowsOf } from '../../autovacuum/options.ts';
import { changedShare, hasGrownUncounted, isLoaded, LOAD_ROWS } from '../../autovacuum/statistics-age.ts';
import { analyzeTrigger, type Trigger } from '../../autovacuum/trigger.ts';
import { pageNotes } from '../../health/finding.ts';
import { computed, limited, measured, setting, settingNotVisible } from '../../settings/facts.ts';

const ID = 'health/statistics-stale';
const MINIMUM_ROWS = 1000;
/** Share of the rows that changed: a fifth that no autovacuum minds is too much. */
const IGNORED_SHARE = 0.2;
/** Autovacuum looks at each database once in autovacuum_naptime, a minute: after a quarter of an hour it is overdue. */
const OVERDUE_SECONDS = 900;

export const rule: Rule = {
  id: ID,
  area: 'health',
  title: 'The statistics of a table are out of date',
  description:
    'Fires for tables that were analysed once, from 1,000 rows on: where more rows changed since than autovacuum waits for ' +
    '(relation_needs_vacanalyze() of autovacuum.c) and it is off, or has not come through a window of a quarter of an hour; ' +
    'where half of the rows changed at once, as by a load; where its trigger is so high that a fifth changed unheeded; where ' +
    'the table doubled but no change was counted; and for partitioned tables whose whole was never analysed, which ' +
    'autovacuum never does. Quiet where autovacuum will come by itself, and on standbys.',
  evaluate: (context) => {
    const { snapshot } = context;
    if (snapshot.server.in_recovery) return { recommendations: [], rejections: [], limits: [] };
    const [first] = snapshot.tables;
    if (first && analyzeTrigger(first, snapshot) === null) {
      return limited(settingNotVisible('autovacuum_analyze_scale_factor'));
    }
    const analysed = new Set(
      snapshot.columns.filter(({ stats }) => stats !== null).map(({ table_oid }) => table_oid),
    );
    return {
      recommendations: snapshot.tables.flatMap((table) => {
        const found =
          table.relkind === 'p' ? neverAsAWhole(table, analysed, context) : staleBecause(table, context);
        return found ? [draft(table, found)] : [];
      }),
      rejections: [],
      limits: [],
    };
  },
};

interface Stale {
  why: string;
  severity: Severity;
  confidence: number;
  trigger: Trigger | null;
  notes: string[];
}

function staleBecause(table: TableRow, context: RuleContext): Stale | null {
  const { snapshot, window } = context;
  const trigger = analyzeTrigger(table, snapshot);
  const rows = rowsOf(table);
  const known =
    ['r', 'm'].includes(table.relkind) &&
    table.relpersistence !== 't' &&
    Math.max(rows, table.n_live_tup) >= MINIMUM_ROWS &&
    // Those that nobody ever looked at are health/statistics-missing's.
    table.reltuples >= 0;
  if (!known || trigger === null) return null;
  const changed = table.n_mod_since_analyze;
  const share = changedShare(table);
  const percent = `${Math.round(100 * share)} %`;
  const due = changed > trigger.rows;
  const found = (why: string, severity: Severity, confidence: number, ...notes: string[]): Stale => ({
    why,
    severity,
    confidence,
    trigger,
    notes,
  });
  if (due && (!autovacuumEnabled(table, snapshot) || isOff(setting(context, 'track_counts')?.setting))) {
    return found(
      `${percent} of its rows changed since it was analysed, and autovacuum is off for it: nobody will come`,
      'medium',
      0.95,
      'Switch autovacuum on, or analyse it by a job of your own.',
    );
  }
  const delta = window?.tables.find(({ oid }) => oid === table.oid);
  const inWindow = (delta?.n_tup_ins ?? 0) + (delta?.n_tup_upd ?? 0) + (delta?.n_tup_del ?? 0);
  const came = (delta?.autoanalyze_count ?? 0) > 0;
  if (window && window.seconds >= OVERDUE_SECONDS && !came && changed - inWindow > trigger.rows) {
    return found(
      `it was due for autovacuum's ANALYZE through the whole window of ${Math.round(window.seconds / 60)} minutes, and none came`,
      'medium',
      0.9,
      'Find out what keeps autovacuum away: its workers are all busy, or somebody holds a lock on the table.',
    );
  }
  if (due && isLoaded(table)) {
    return found(
      `${percent} of its rows changed since it was analysed, as by a load`,
      share >= 1 ? 'medium' : 'low',
      0.75,
      'Autovacuum will come to it in the end; what is asked of the table meanwhile is planned for what it held before.',
    );
  }
  if (!due && share >= IGNORED_SHARE && changed >= LOAD_ROWS) {
    return found(
      `${percent} of its rows changed since it was analysed, and autovacuum waits for more (${trigger.source})`,
      'low',
      0.8,
      'Lower autovacuum_analyze_scale_factor of this table, or it will be so again.',
    );
  }
  if (!due && hasGrownUncounted(table)) {
    return found(
      `it takes ${table.main_pages.toLocaleString('en-US')} pages now and took ${table.relpages.toLocaleString('en-US')} when it was last looked at, but next to no change was counted: counters were lost, as by a crash, and autovacuum goes by them`,
      'medium',
      0.8,
    );
  }
  return null;
}

/** Autovacuum analyses partitions, never what they are partitions of ("Partitioned tables", docs of ANALYZE). */
function neverAsAWhole(
  table: TableRow,
  analysed: ReadonlySet<number>,
  { snapshot }: RuleContext,
): Stale | null {
  const partitions = snapshot.tables.filter((other) => other.parent_oid === table.oid && other.is_partition);
  const rows = partitions.reduce((sum, other) => sum + Math.max(0, other.reltuples), 0);
  const seen = partitions.some((other) => analysed.has(other.oid));
  if (table.last_analyze !== null || analysed.has(table.oid) || !seen || rows < MINIMUM_ROWS) return null;
  return {
    why: `its partitions have statistics, but the whole has none: joins and groups over all of it are planned by guesses, and autovacuum never analyses a partitioned table`,
    severity: 'medium',
    confidence: 0.9,
    trigger: null,
    notes: [
      'It reads a sample of each partition and renews their statistics, too (from 18 on, ANALYZE ONLY leaves them alone).',
      'Run it again after the partitions have changed much: nobody else will.',
    ],
  };
}

function draft(table: TableRow, stale: Stale): RecommendationDraft {
  const name = `${table.schema}.${table.name}`;
  const last = [table.last_analyze, table.last_autoanalyze]
    .filter((at) => at !== null)
    .toSorted()
    .at(-1);
  const changed = table.n_mod_since_analyze;
  const { trigger } = stale;
  return {
    rule: ID,
    change: { kind: 'analyze', schema: table.schema, table: table.name },
    key: `analyze ${name}`,
    title: `Analyse ${name} again`,
    rationale: `Of ${name}: ${stale.why}.`,
    severity: stale.severity,
    evidence_level: 'measured',
    confidence: stale.confidence,
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    affects: [],
    evidence: [
      measured('last analysed', last ?? 'never', null, 'pg_stat_user_tables.last_analyze, last_autoanalyze'),
      ...(trigger
        ? [
            measured('rows changed since', changed, 'rows', 'pg_stat_user_tables.n_mod_since_analyze'),
            measured('rows', rowsOf(table), 'rows', 'pg_class.reltuples'),
            computed('changed rows that autovacuum waits for', trigger.rows, 'rows', trigger.formula),
            measured('pages when it was last looked at', table.relpages, 'pages', 'pg_class.relpages'),
            measured('pages', table.main_pages, 'pages', 'pg_relation_size()'),
          ]
        : []),
    ],
    risk: {
      locks: 'ShareUpdateExclusive: reads and writes go on.',
      restart: false,
      reload: false,
      notes: [
        'Plans of statements on this table may change, mostly for the better.',
        ...stale.notes,
        ...pageNotes(ID),
      ],
    },
  };
}
