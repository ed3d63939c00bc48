/** The TOAST table's own trigger: it is vacuumed by itself, and its rows are pieces of large values. */
import type { RecommendationDraft, Rule, RuleContext, TableRow, ToastFacts } from '../../../domain/index.ts';
import { MINIMUM_FACTOR } from '../../autovacuum/dead-trigger.ts';
import { wantedTrigger } from '../../autovacuum/derive.ts';
import { joinFamilies } from '../../autovacuum/families.ts';
import { explainsDeadRows } from '../../autovacuum/horizon.ts';
import { autovacuumEnabled, rowsOf } from '../../autovacuum/options.ts';
import { serverParameters, toastOptions } from '../../autovacuum/parameters.ts';
import { replay, replayEvidence, simulatedTable } from '../../autovacuum/replay.ts';
import { count, optionsDraft, runs } from '../../autovacuum/table-draft.ts';
import { deadRowTrigger } from '../../autovacuum/trigger.ts';
import { computed, measured } from '../../settings/facts.ts';
import { statisticsBegan } from '../../settings/observed.ts';

const ID = 'autovacuum/toast';
/** Pieces of values; a piece is about 2 kB, so that this is about 100 MB. */
const MINIMUM_ROWS = 50_000;
const MINIMUM_DELETES = 1_000;
const MINIMUM_RUNS_A_DAY = 0.2;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'The TOAST table of a table is vacuumed too late',
  description:
    'A TOAST table has counters and a trigger of its own; without storage parameters of its own (toast.…) it takes its ' +
    "table's. Its pieces of large values are deleted and inserted, never updated. Fires for 50,000 pieces and more with " +
    '1,000 deletes and more whose trigger is at least twice as late as wanted by the formula of autovacuum/scale-factor. ' +
    'The rate is a mean since counting began: windows do not count TOAST tables. Quiet while something holds the horizon.',
  evaluate: (context) => {
    const advised: { table: TableRow; draft: RecommendationDraft }[] = [];
    const rejections: { rule: string; candidate: string; code: string; reason: string }[] = [];
    for (const table of context.snapshot.tables) {
      if (table.toast === null || table.toast.n_tup_del < MINIMUM_DELETES) continue;
      const judged = judge(table, table.toast, context);
      if (judged === null) continue;
      if ('change' in judged) advised.push({ table, draft: judged });
      else rejections.push({ rule: ID, candidate: `TOAST of ${table.schema}.${table.name}`, ...judged });
    }
    return { recommendations: joinFamilies(advised, context.snapshot), rejections, limits: [] };
  },
};

/** The TOAST table as a table: what is not known of it (maps, analyze) is nothing. */
function asTable(table: TableRow, toast: ToastFacts, blockSize: number): TableRow {
  // Its only index takes a part of toast_bytes that is not told: the rest of what is no heap page.
  const heap = toast.relpages;
  return {
    ...table,
    oid: toast.oid,
    name: `${table.name} (TOAST)`,
    relkind: 't',
    relpages: heap,
    reltuples: toast.reltuples,
    main_pages: heap,
    relallvisible: 0,
    relallfrozen: null,
    indexes_bytes: Math.max(0, table.toast_bytes - heap * blockSize),
    reloptions: { ...toastOptions(table) },
    toast: null,
    n_tup_ins: toast.n_tup_ins,
    n_tup_upd: 0,
    n_tup_del: toast.n_tup_del,
    n_tup_hot_upd: 0,
    n_live_tup: toast.n_live_tup,
    n_dead_tup: toast.n_dead_tup,
    n_ins_since_vacuum: toast.n_ins_since_vacuum,
    n_mod_since_analyze: 0,
    last_vacuum: null,
    last_autovacuum: toast.last_autovacuum,
    xid_age: toast.xid_age,
  };
}

function judge(
  table: TableRow,
  facts: ToastFacts,
  context: RuleContext,
): RecommendationDraft | { code: string; reason: string } | null {
  const { snapshot } = context;
  const toast = asTable(table, facts, snapshot.server.block_size);
  if (rowsOf(toast) < MINIMUM_ROWS) return null;
  const began = statisticsBegan(context);
  const seconds = began === null ? 0 : (Date.parse(snapshot.taken_at) - Date.parse(began)) / 1000;
  if (began === null || !(seconds > 0)) return null;
  if (!autovacuumEnabled(toast, snapshot)) {
    return { code: 'autovacuum_off', reason: 'autovacuum is switched off for it' };
  }
  const perHour = (rows: number) => (rows * 3600) / seconds;
  const churn = {
    dead: facts.n_tup_del,
    deleted: facts.n_tup_del,
    updated: 0,
    hot: 0,
    newpage: null,
    left: facts.n_tup_del,
    inserted: facts.n_tup_ins,
    autovacuums: facts.autovacuum_count,
    dead_per_hour: perHour(facts.n_tup_del),
    changed_per_hour: perHour(facts.n_tup_del),
    inserted_per_hour: perHour(facts.n_tup_ins),
    pruning_seen: false,
    seconds,
    from: 'cumulative' as const,
    source: `pg_stat_all_tables of the TOAST table since ${began}`,
  };
  const present = deadRowTrigger(toast, snapshot);
  const simulated = simulatedTable(toast, churn, toast.reloptions, context);
  const server = serverParameters(snapshot);
  if (present === null || simulated === null || server === null) {
    return { code: 'settings_not_visible', reason: "autovacuum's settings are not visible" };
  }
  const wanted = wantedTrigger(toast, simulated, server);
  const explained = explainsDeadRows(
    toast,
    {
      trigger: present.rows,
      dead_per_hour: churn.dead_per_hour,
      interval_seconds: wanted.interval_seconds,
      vacuumed_in_window: false,
    },
    context,
  );
  if (explained) return { code: explained.code, reason: explained.reason };
  if (present.rows < MINIMUM_FACTOR * wanted.rows) {
    return {
      code: 'close_enough',
      reason: `autovacuum comes after ${count(present.rows)} dead pieces; ${count(wanted.rows)} would be proposed`,
    };
  }
  const own = {
    autovacuum_vacuum_scale_factor: String(wanted.scale_factor),
    autovacuum_vacuum_threshold: String(wanted.threshold),
  };
  const replayed = replay(toast, churn, { ...toast.reloptions, ...own }, context);
  if (replayed === null) return null;
  const { before, after } = replayed;
  if (after.vacuums_a_day < MINIMUM_RUNS_A_DAY) {
    return { code: 'too_little_churn', reason: `${count(churn.dead_per_hour)} dead pieces an hour are few` };
  }
  // With a first parameter of its own the TOAST table no longer takes its table's: those go with it.
  const inherited =
    Object.keys(table.toast_reloptions).length === 0
      ? Object.fromEntries(
          Object.entries(table.reloptions).filter(([name]) => /^autovacuum_(?!analyze)/.test(name)),
        )
      : {};
  const set = Object.fromEntries(
    Object.entries({ ...inherited, ...own }).map(([name, value]) => [`toast.${name}`, value]),
  );
  return optionsDraft(table, {
    rule: ID,
    topic: 'toast_autovacuum_vacuum',
    set,
    title: `Vacuum the TOAST table of ${table.schema}.${table.name} after ${count(wanted.rows)} dead pieces, not ${count(present.rows)}`,
    rationale:
      `${count(churn.dead_per_hour)} pieces of its large values an hour are deleted beside ${count(toast.n_live_tup)} live ones; autovacuum waits for ${count(present.rows)}. ` +
      `Replayed at this rate it would come about ${runs(after.vacuums_a_day)} times a day instead of ${runs(before.vacuums_a_day)}. The rate is a mean over all the time that was counted.`,
    severity: 'low',
    confidence: 0.5,
    evidence: [
      {
        ...measured('pieces deleted an hour', churn.dead_per_hour, 'rows', churn.source),
        formula: `n_tup_del ${facts.n_tup_del} × 3600 / ${Math.round(seconds)} s`,
      },
      measured('live pieces', toast.n_live_tup, 'rows', 'pg_stat_all_tables of the TOAST table'),
      measured('dead pieces now', toast.n_dead_tup, 'rows', 'pg_stat_all_tables of the TOAST table'),
      { ...computed('trigger now', present.rows, 'rows', present.formula), source: present.source },
      computed('trigger after', wanted.rows, 'rows', wanted.formula),
      ...replayEvidence(replayed),
    ],
    notes: [
      'Values that are replaced leave all their pieces dead at once.',
      ...(Object.keys(inherited).length > 0
        ? [
            "A TOAST table with a parameter of its own takes none of its table's: those in force now are set with it.",
          ]
        : []),
    ],
  });
}
