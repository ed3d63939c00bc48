/**
 * What an index costs the writes of a window, in planner cost units, so that it stands against what reads save: its
 * entries, pages that they find outside of memory, pages logged whole and written back, heap-only updates that it
 * ends, and passes of vacuum.
 */
import {
  amountWords,
  type IndexRow,
  type IndexSize,
  type Snapshot,
  type Window,
} from '../../domain/index.ts';
import { columnsRead, isReadable } from '../../workload/index.ts';
import type { Candidate } from './candidates.ts';
import { type AdvisorTable, rowCount } from './catalog.ts';
import { entryCost, OTHER_INDEX_ENTRY } from './entry-cost.ts';
import { textsOf } from './existing-expressions.ts';
import type { AdvisorStatement } from './statement.ts';
import { lostHotUpdates, writeCounts } from './write-counts.ts';

/** A page that is touched between two checkpoints is logged whole once (full_page_writes) and written back once. */
const PAGE_WRITES = 2;
/** Major from which on block-range indexes leave updates heap-only (amsummarizing, "Allow HOT updates if only BRIN-indexed columns are updated"). */
const SUMMARISING_SINCE = 16;

export interface WriteCost {
  /** Planner cost units over the window. */
  cost: number;
  /** Entries added in the window. */
  entries: number;
  /** Updates that are heap-only now and would not be any more. */
  lost_hot_updates: number;
  formula: string;
}

/** Numbers of the target, as its settings have them. */
function settingsOf(snapshot: Snapshot) {
  const read = (name: string, fallback: number) =>
    Number(snapshot.settings.find((row) => row.name === name)?.setting ?? fallback);
  return {
    random: read('random_page_cost', 4),
    sequential: read('seq_page_cost', 1),
    /** Pages. */
    memory: read('shared_buffers', 16_384),
    checkpoint_seconds: read('checkpoint_timeout', 300),
    vacuum_rows: read('autovacuum_vacuum_threshold', 50),
    vacuum_share: read('autovacuum_vacuum_scale_factor', 0.2),
  };
}

/**
 * @param statements Those that touch the table: their SET lists tell which updates touch the index.
 * @param cumulative The workload's counters go back to their reset.
 * @param window Its tables' counters say what is written; null: the statements do.
 */
export function writeCost(
  candidate: Candidate,
  size: IndexSize,
  statements: readonly AdvisorStatement[],
  snapshot: Snapshot,
  cumulative: boolean,
  window: Window | null = null,
): WriteCost {
  const { table, definition, selectivity } = candidate;
  const settings = settingsOf(snapshot);
  const counts = writeCounts(table, statements, window, cumulative);
  const isSummary = (method: string) =>
    method === 'brin' && snapshot.server.server_version_num >= SUMMARISING_SINCE * 10_000;
  const others = table.indexes.filter((index) => !isSummary(index.method));
  const indexed = new Set(others.flatMap((index) => columnsOfIndex(index, table)));
  const added = new Set(columnsOf(candidate));
  const lostHot = isSummary(definition.method)
    ? 0
    : lostHotUpdates(counts, table, statements, { indexed, added });
  const notHot = Math.max(0, counts.updated - counts.hot) + lostHot;
  const entries = (counts.inserted + notHot) * selectivity;
  const entry = entryCost(candidate, size);
  const work = entries * entry.units + lostHot * others.length * OTHER_INDEX_ENTRY;
  // Of an index larger than memory that is written all over, the rest has to be read; others' pages are as likely there.
  const missing = entry.scattered ? Math.max(0, 1 - settings.memory / Math.max(1, size.pages)) : 0;
  const reads = entries * missing * settings.random;
  const checkpoints = Math.max(1, (window?.seconds ?? 0) / settings.checkpoint_seconds);
  const pages = pagesTouched(entries, size, entry.scattered, checkpoints);
  const writes = PAGE_WRITES * pages * settings.sequential;
  const dead = (counts.deleted + notHot) * selectivity;
  // Each vacuum that finds dead rows reads the whole index (ambulkdelete), once they are as many as its threshold.
  const vacuums =
    (counts.deleted + notHot) / (settings.vacuum_rows + settings.vacuum_share * rowCount(table));
  const vacuum = dead > 0 && definition.method !== 'brin' ? vacuums * size.pages * settings.sequential : 0;
  return {
    cost: work + reads + writes + vacuum,
    entries,
    lost_hot_updates: lostHot,
    formula:
      `${amountWords(Math.round(entries))} entries × ${entry.units.toFixed(2)} cost units` +
      (lostHot > 0
        ? ` + ${amountWords(Math.round(lostHot))} lost HOT updates × ${others.length} indexes × ${OTHER_INDEX_ENTRY}`
        : '') +
      (reads > 0 ? ` + ${amountWords(Math.round(entries * missing))} page reads × ${settings.random}` : '') +
      ` + ${amountWords(Math.round(pages))} pages logged and written × ${PAGE_WRITES * settings.sequential}` +
      ` + ${amountWords(vacuum)} of vacuum (${amountWords(vacuums)} passes over the index); rows by ${counts.source}`,
  };
}

/** Different pages that entries come to, summed over the times between checkpoints. */
function pagesTouched(entries: number, size: IndexSize, scattered: boolean, checkpoints: number): number {
  const perCheckpoint = entries / checkpoints;
  // At the end, or in a summary, as many entries to a page as pages have on the average.
  if (!scattered) return (checkpoints * (perCheckpoint * size.pages)) / Math.max(1, size.tuples);
  return checkpoints * size.pages * (1 - Math.exp(-perCheckpoint / Math.max(1, size.pages)));
}

/** All whose change makes an update enter the index: keys, included columns, and what expressions and predicate read. */
function columnsOf({ definition }: Candidate): string[] {
  const keys = definition.keys.flatMap(({ column, expression }) => column ?? [...columnsRead(expression)]);
  return [...keys, ...definition.include, ...columnsRead(definition.where)];
}

/** The same of an existing index: all of the table's where an expression of it cannot be read, for it may read any. */
function columnsOfIndex(index: IndexRow, table: AdvisorTable): string[] {
  const byAttnum = [...table.columns.values()].filter((column) => index.key_attnums.includes(column.attnum));
  const texts = textsOf(index);
  if (!texts.every(isReadable)) return [...table.columns.keys()];
  return [
    ...byAttnum.map((column) => column.name),
    ...index.include,
    ...texts.flatMap((text) => [...columnsRead(text)]),
  ];
}
