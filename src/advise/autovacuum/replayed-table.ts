/** One table while autovacuum is replayed: what it holds at a time, when it is due, what a run changes. */
import type { ServerParameters } from './parameters.ts';
import type { SimulatedTable, TableOutcome } from './simulated.ts';
import { triggersOf } from './triggers-of.ts';
import { analyzeWork, pagesTouched, vacuumWork, type Work } from './work.ts';

const DAY = 86_400;

export class Replayed {
  readonly table: SimulatedTable;
  private readonly xids: number;
  private readonly version: number;
  /** When the counters below were as they are. */
  private asOf = 0;
  private dead: number;
  private inserted: number;
  private modified: number;
  private changed = 0;
  /** Not all-visible already at the beginning, or touched while a vacuum ran. */
  private touchedBefore: number;
  private frozenPages: number;
  private age: number;
  private rows: number;
  /** reltuples: what the last run made of the rows. */
  private counted: number;
  private deadArea = 0;
  private peak: number;
  private runs = 0;
  private forced = 0;
  private analyzes = 0;
  private read = 0;
  private dirtied = 0;
  private longest = 0;
  private wait = 0;
  private dueSince: number | null = null;
  private passes = 0;
  /** What the running vacuum found. */
  private found = { dead: 0, inserted: 0, changed: 0, modified: 0, aggressive: false };

  constructor(table: SimulatedTable, xidsPerSecond: number, version: number) {
    this.version = version;
    this.table = table;
    this.xids = xidsPerSecond;
    this.dead = table.dead;
    this.inserted = table.inserted_since_vacuum;
    this.modified = table.modified_since_analyze;
    this.touchedBefore = table.pages * (1 - table.visible_share);
    this.frozenPages = table.pages * table.frozen_share;
    this.age = table.xid_age;
    this.rows = table.rows;
    this.counted = table.rows;
    this.peak = table.dead;
  }

  private pages(): number {
    const { rows, pages } = this.table;
    return rows > 0 ? pages * Math.max(1, this.rows / rows) : pages;
  }

  /** Brings the counters to this time. */
  private to(now: number): void {
    const seconds = now - this.asOf;
    if (seconds <= 0) return;
    const { rates } = this.table;
    this.deadArea += (this.dead + (rates.dead * seconds) / 2) * seconds;
    this.dead += rates.dead * seconds;
    this.changed += rates.changed * seconds;
    this.inserted += rates.inserted * seconds;
    this.modified += (rates.changed + rates.inserted) * seconds;
    this.rows = Math.max(0, this.rows + (rates.inserted - rates.deleted) * seconds);
    this.age += this.xids * seconds;
    this.peak = Math.max(this.peak, this.dead);
    this.asOf = now;
  }

  private triggers() {
    const frozen = this.version >= 180000 ? this.frozenPages / Math.max(1, this.pages()) : 0;
    return triggersOf(this.table.parameters, this.counted, frozen);
  }

  /** When something brings autovacuum, seconds from the beginning; Infinity: never. */
  dueAt(): number {
    const { rates, parameters } = this.table;
    const { dead, inserted, analyze } = this.triggers();
    const fills = (have: number, trigger: number, rate: number) =>
      have > trigger
        ? this.asOf
        : rate > 0
          ? this.asOf + (trigger - have) / rate + 1e-6
          : Number.POSITIVE_INFINITY;
    return Math.min(
      fills(this.dead, dead, rates.dead),
      fills(this.inserted, inserted, rates.inserted),
      fills(this.modified, analyze, rates.changed + rates.inserted),
      fills(this.age, parameters.freeze_max_age, this.xids),
    );
  }

  vacuumDue(now: number): boolean {
    this.to(now);
    const { dead, inserted } = this.triggers();
    return this.dead > dead || this.inserted > inserted || this.age > this.table.parameters.freeze_max_age;
  }

  analyzeDue(now: number): boolean {
    this.to(now);
    return this.modified > this.triggers().analyze;
  }

  noteDue(now: number): void {
    this.dueSince ??= now;
  }

  /** Begins a run and says what it will do. */
  begin(kind: 'vacuum' | 'analyze', now: number, server: ServerParameters): Work {
    this.to(now);
    if (this.dueSince !== null) this.wait = Math.max(this.wait, now - this.dueSince);
    this.dueSince = null;
    if (kind === 'analyze') {
      this.found = { ...this.found, modified: this.modified };
      return analyzeWork(this.pages(), server);
    }
    const { parameters, indexes, index_pages, rows } = this.table;
    const pages = this.pages();
    const forced = this.age > parameters.freeze_max_age;
    const aggressive = forced || this.age > parameters.freeze_table_age;
    const perPage = Math.max(1, this.rows / Math.max(1, pages));
    const touched =
      pagesTouched(this.changed, pages) + this.inserted / perPage + Math.min(pages, this.touchedBefore);
    const work = vacuumWork(
      {
        pages,
        index_pages: rows > 0 ? index_pages * Math.max(1, this.rows / rows) : index_pages,
        indexes,
        dead: this.dead,
        touched_pages: touched,
        frozen_pages: this.frozenPages,
        aggressive,
      },
      server,
    );
    this.found = {
      dead: this.dead,
      inserted: this.inserted,
      changed: this.changed,
      modified: this.modified,
      aggressive,
    };
    this.runs += 1;
    if (forced) this.forced += 1;
    this.passes = Math.max(this.passes, work.index_passes);
    return work;
  }

  finish(kind: 'vacuum' | 'analyze', began: number, now: number, work: Work): void {
    this.to(now);
    this.read += work.heap_pages_read + work.index_pages_read;
    this.dirtied += work.pages_dirtied;
    this.counted = this.rows;
    if (kind === 'analyze') {
      this.analyzes += 1;
      this.modified -= this.found.modified;
      return;
    }
    this.dead = Math.max(0, this.dead - this.found.dead);
    this.inserted -= this.found.inserted;
    this.changed -= this.found.changed;
    this.touchedBefore = 0;
    this.longest = Math.max(this.longest, now - began);
    const pages = this.pages();
    if (this.found.aggressive) {
      this.age = this.table.parameters.freeze_min_age + this.xids * (now - began);
      this.frozenPages = pages;
    } else {
      // Pages that changed since are not frozen any more; what a lazy run freezes itself is left out: at most.
      this.frozenPages = Math.max(0, this.frozenPages - pagesTouched(this.found.changed, pages));
    }
  }

  outcome(seconds: number): TableOutcome {
    this.to(seconds);
    const aDay = (count: number) => (count * DAY) / seconds;
    return {
      name: this.table.name,
      vacuums_a_day: aDay(this.runs),
      forced: this.forced,
      analyzes_a_day: aDay(this.analyzes),
      dead_peak: this.peak,
      dead_mean: this.deadArea / seconds,
      pages_read_a_day: aDay(this.read),
      pages_dirtied_a_day: aDay(this.dirtied),
      longest_seconds: this.longest,
      longest_wait_seconds: this.wait,
      index_passes_most: this.passes,
    };
  }
}

/** What the table is due for now; null: nothing. A vacuum goes first. */
export function dueOf(state: Replayed, now: number): 'vacuum' | 'analyze' | null {
  if (state.vacuumDue(now)) return 'vacuum';
  return state.analyzeDue(now) ? 'analyze' : null;
}
