/** From what statements want to candidates that the engine has taken, with their sizes and what they cost the writes. */
import {
  bytesWords,
  type IndexSize,
  PgLuthierError,
  type Rejection,
  type RuleContext,
  type WhatIf,
} from '../../domain/index.ts';
import { isReadable } from '../../workload/index.ts';
import { CandidateSizes, type Sized } from './candidate-size.ts';
import { tableOf } from './candidates/candidate.ts';
import { type Candidate, candidatesOf } from './candidates.ts';
import { type AdvisorCatalog, advisorCatalog, constantKey } from './catalog.ts';
import { coveringIndex } from './covered.ts';
import { shortenedCandidates, withIncludedAsKeys } from './merge.ts';
import { idleMirrors } from './mirrored.ts';
import type { Contender } from './selection.ts';
import { bytesOf } from './size-model.ts';
import type { AdvisorStatement } from './statement.ts';
import { plannedSize } from './worker-steps.ts';
import { type WriteCost, writeCost } from './write-cost.ts';

/** Statements that are asked about, and candidates that are made, at once. */
export const BATCH = 50;
/**
 * Share of an index's bytes at which one that does part of its work is a candidate, too: with all that it includes as
 * keys, or with its leading keys alone.
 */
const MUCH_SMALLER = 0.7;
/** A partial index of more of the rows saves nothing over a whole one. */
const MAX_PARTIAL_SHARE = 0.7;

/** Why a candidate is rejected with `deadline`. */
export const LATE = 'not weighed: the time was used up';

/** A candidate that the engine has taken, with the statements that it was made for. */
export interface Made {
  contender: Contender;
  by: AdvisorStatement[];
}

interface Wanted extends Omit<Sized, 'expressions'> {
  candidate: Candidate;
  by: AdvisorStatement[];
}

/** Makes the candidates of one run, each once. */
export class CandidateMaker {
  readonly catalog: AdvisorCatalog;
  readonly #context: RuleContext;
  readonly #whatIf: WhatIf;
  readonly #touching: ReadonlyMap<number, AdvisorStatement[]>;
  readonly #sizes: CandidateSizes;
  readonly #rejections: Rejection[];
  readonly #rule: string;
  readonly #isStanding: (candidate: Candidate) => boolean;
  /** Keys of all that was wanted, taken or not. */
  readonly #seen = new Set<string>();
  /** By key and selectivity. */
  readonly #sized = new Map<string, Sized>();
  /** By a candidate's key: those that do part of its work and are much smaller. */
  readonly #smaller = new Map<string, Candidate[]>();
  /** Of those that were made for it: the statements that they were made for. */
  readonly #smallerBy = new Map<string, AdvisorStatement[]>();

  constructor(
    context: RuleContext,
    whatIf: WhatIf,
    statements: readonly AdvisorStatement[],
    run: {
      rejections: Rejection[];
      rule: string;
      /** Whether earlier advice stands on it: it is looked at again whatever its size. */
      isStanding: (candidate: Candidate) => boolean;
    },
  ) {
    const recurring = context.workload.source === 'files' ? recurringConstants(statements) : null;
    this.catalog = { ...advisorCatalog(context.snapshot), recurring };
    this.#context = context;
    this.#whatIf = whatIf;
    this.#touching = statementsByTable(statements);
    this.#sizes = new CandidateSizes(this.catalog, context.snapshot, whatIf);
    this.#rejections = run.rejections;
    this.#rule = run.rule;
    this.#isStanding = run.isStanding;
  }

  /**
   * What the statements want, but what an existing index serves or PostgreSQL refuses. Those of the dearest statements
   * are sized and made first, so that the time that is left goes to the others.
   * @param deadline epoch ms; candidates that are not made by then are rejected with that reason.
   */
  async fromStatements(dearestFirst: readonly AdvisorStatement[], deadline: number): Promise<Made[]> {
    const wanted = new Map<string, { candidate: Candidate; by: AdvisorStatement[] }>();
    for (const statement of dearestFirst) {
      for (const candidate of candidatesOf(statement.usages, this.catalog).values()) {
        const known = wanted.get(candidate.key);
        if (!known) wanted.set(candidate.key, { candidate, by: [statement] });
        else if (known.by.at(-1) !== statement) known.by.push(statement);
      }
    }
    const idle = idleMirrors([...wanted.values()]);
    const items = [...wanted.values()].filter(({ candidate }) => !idle.has(candidate.key));
    const made: Made[] = [];
    for (let start = 0; start < items.length; start += BATCH) {
      this.#context.progress(`making candidates: ${start} of ${items.length}`);
      const isLate = Date.now() > deadline && (made.length > 0 || Date.now() > this.#context.deadline);
      const batch: Wanted[] = [];
      for (const { candidate, by } of items.slice(start, start + BATCH)) {
        if (isLate) this.#reject(candidate, 'deadline', LATE);
        else batch.push(...(await this.#wantWithSmaller(candidate, by, wanted)));
      }
      made.push(...(await this.#take(batch)));
    }
    return made;
  }

  /** The candidate, and what is much smaller and does part of its work. */
  async #wantWithSmaller(
    candidate: Candidate,
    by: AdvisorStatement[],
    asked: ReadonlyMap<string, unknown>,
  ): Promise<Wanted[]> {
    const smaller = (await this.#smallerOnes(candidate)).filter(({ key }) => !asked.has(key));
    const wanted: Wanted[] = [];
    for (const one of [candidate, ...smaller]) {
      const known = this.#smallerBy.get(one.key);
      for (const statement of known ? by : []) if (!known?.includes(statement)) known?.push(statement);
      if (this.#seen.has(one.key)) continue;
      const item = await this.#want(one, one === candidate ? by : [...by]);
      if (!item) continue;
      wanted.push(item);
      if (one !== candidate) this.#smallerBy.set(one.key, item.by);
    }
    return wanted;
  }

  /** More of them, made for these statements; what was wanted before is left out. */
  async more(items: readonly { candidate: Candidate; by: AdvisorStatement[] }[]): Promise<Made[]> {
    const wanted: Wanted[] = [];
    for (const { candidate, by } of items) {
      if (this.#seen.has(candidate.key)) continue;
      const item = await this.#want(candidate, by);
      if (item) wanted.push(item);
    }
    const made: Made[] = [];
    for (let start = 0; start < wanted.length; start += BATCH) {
      this.#context.progress(`making candidates: ${start} of ${wanted.length}`);
      const batch = wanted.slice(start, start + BATCH);
      if (Date.now() <= this.#context.deadline) made.push(...(await this.#take(batch)));
      else for (const { candidate } of batch) this.#reject(candidate, 'deadline', LATE);
    }
    return made;
  }

  /** What an existing index costs the writes, in the unit of the candidates' write cost. */
  writesOf(candidate: Candidate, size: IndexSize): WriteCost {
    const writers = this.#touching.get(candidate.table.row.oid) ?? [];
    const { snapshot, workload, window } = this.#context;
    // Statements out of files weigh what somebody says; what a window counted is no measure beside them.
    const counted = workload.source === 'files' ? null : window;
    return writeCost(candidate, size, writers, snapshot, workload.source === 'cumulative', counted);
  }

  /** Statements that read or write a table. */
  touching(tableOid: number): readonly AdvisorStatement[] {
    return this.#touching.get(tableOid) ?? [];
  }

  /**
   * Where rows repeat so much that they are much smaller for it: the candidate with its included columns as keys, and its
   * leading keys alone. `WHERE state = $1 ORDER BY priority, run_at LIMIT 10` is served by (state, priority) within
   * little more than by (state, priority, run_at): an incremental sort orders the rows of one priority.
   */
  async #smallerOnes(candidate: Candidate): Promise<Candidate[]> {
    const known = this.#smaller.get(candidate.key);
    if (known !== undefined) return known;
    const smaller: Candidate[] = [];
    const keyed = withIncludedAsKeys(candidate);
    for (const one of [...(keyed ? [keyed] : []), ...leadingKeys(candidate)]) {
      const whole = await this.#sizeOf(candidate);
      const part = await this.#sizeOf(one);
      // What has no size is told when it is wanted.
      if (whole !== null && part !== null && bytesOf(part.size) <= MUCH_SMALLER * bytesOf(whole.size))
        smaller.push(one);
    }
    this.#smaller.set(candidate.key, smaller);
    return smaller;
  }

  /** Null: the model gave no number, which is told as a rejection. */
  async #sizeOf(candidate: Candidate): Promise<Sized | null> {
    const { key, selectivity } = candidate;
    const name = `${key} ${selectivity}`;
    const known = this.#sized.get(name);
    if (known !== undefined) return known;
    try {
      const size = await this.#sizes.sizeInBudget(candidate, this.#context.index_budget_bytes);
      this.#sized.set(name, size);
      return size;
    } catch (error) {
      if (!(error instanceof PgLuthierError) || error.code !== 'index_size_invalid') throw error;
      this.#reject(candidate, error.code, error.message);
      return null;
    }
  }

  async #want(candidate: Candidate, by: AdvisorStatement[]): Promise<Wanted | null> {
    const { definition, table } = candidate;
    this.#seen.add(candidate.key);
    if (![...definition.keys.map((key) => key.expression), definition.where].every(isReadable)) {
      this.#reject(candidate, 'unreadable', 'PgLuthier’s parser cannot read one of its expressions');
      return null;
    }
    const existing = coveringIndex(definition, table.indexes);
    if (existing) {
      const does = `${existing.schema}.${existing.name} (${existing.keys.join(', ')}) does this already`;
      this.#reject(candidate, 'covered_by_existing', does);
      return null;
    }
    const share = await this.#sizes.shareOf(candidate);
    if (share !== null && share > MAX_PARTIAL_SHARE) {
      this.#reject(
        candidate,
        'keeps_most_rows',
        `its condition keeps ${Math.round(100 * share)} % of the rows`,
      );
      return null;
    }
    const known = share === null ? candidate : { ...candidate, selectivity: share };
    const sized = await this.#sizeOf(known);
    if (sized === null) return null;
    const { index_budget_bytes: budget } = this.#context;
    if (budget !== null && sized.reserved_bytes > budget && !this.#isStanding(candidate)) {
      const reason = `its ${bytesWords(sized.reserved_bytes)} are more than the whole budget of ${bytesWords(budget)}: it was not weighed`;
      this.#reject(candidate, 'over_budget', reason);
      return null;
    }
    const { expressions, ...bytes } = sized;
    const told = expressions.size > 0 ? { ...known, expressions } : known;
    return {
      candidate: this.#sizes.isGuess(definition) ? { ...told, is_guess: true } : told,
      by,
      ...bytes,
    };
  }

  async #take(batch: readonly Wanted[]): Promise<Made[]> {
    if (batch.length === 0) return [];
    const answers = await this.#whatIf.addIndexes(
      batch.map(({ candidate: { definition, table }, size }) => ({
        definition,
        size: plannedSize(
          size,
          { method: definition.method, is_partitioned: table.row.relkind === 'p' },
          this.#context.snapshot,
        ),
      })),
    );
    return batch.flatMap(({ candidate, by, size, reserved_bytes }, position) => {
      const handle = answers[position];
      if (typeof handle !== 'string') {
        const reason = handle?.message ?? 'no answer';
        this.#reject(candidate, 'refused_by_postgresql', `PostgreSQL refuses it: ${reason}`);
        return [];
      }
      const contender: Contender = {
        handle,
        table_oid: candidate.table.row.oid,
        candidate,
        size,
        size_bytes: bytesOf(size),
        reserved_bytes,
        write: this.writesOf(candidate, size),
        alone: 0,
        merged_of: [],
      };
      return [{ contender, by }];
    });
  }

  #reject(candidate: Candidate, code: string, reason: string): void {
    const table = tableOf(candidate);
    this.#rejections.push({ rule: this.#rule, candidate: candidate.key, code, reason, table });
  }
}

/** Two and more leading keys, but not all; each single column is wanted by itself where it serves a statement. */
const leadingKeys = (candidate: Candidate): Candidate[] =>
  candidate.definition.include.length > 0
    ? []
    : shortenedCandidates(candidate).filter(({ definition: { keys } }) => keys.length > 1);

/** Statements by the tables that they touch. */
export function statementsByTable(statements: readonly AdvisorStatement[]): Map<number, AdvisorStatement[]> {
  const byTable = new Map<number, AdvisorStatement[]>();
  for (const statement of statements) {
    for (const oid of statement.tables) {
      const list = byTable.get(oid);
      if (list) list.push(statement);
      else byTable.set(oid, [statement]);
    }
  }
  return byTable;
}

/** Of statements out of files, which show one call each: constants that stand in more than one place. */
function recurringConstants(statements: readonly AdvisorStatement[]): Set<string> {
  const places = new Map<string, number>();
  for (const { usages } of statements) {
    // The first is the statement as it is written; the others are of its samples.
    const [written] = usages;
    for (const { relation, literal, repeats = 1 } of written?.predicates ?? []) {
      const table = relation === null ? undefined : written?.relations[relation]?.table_oid;
      if (literal === null || table === undefined) continue;
      const key = constantKey(table, literal);
      places.set(key, (places.get(key) ?? 0) + repeats);
    }
  }
  return new Set([...places].filter(([, count]) => count > 1).map(([key]) => key));
}
