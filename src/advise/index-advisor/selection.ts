/**
 * Choosing a set of indexes for the whole workload. The planner shows plans: of each statement without any candidate,
 * with all of them, and with each alone that could matter. By these plans the best set is searched; then the planner
 * is asked about that set and its neighbours, which may show plans that need several together; and so on until it
 * shows nothing new. Value is plan cost × calls, and what writes and bytes cost.
 */
import type { IndexSize } from '../../domain/index.ts';
import { askAbout, askAboutLeaving, askWithout, growByPlanner } from './asking.ts';
import type { Candidate } from './candidates.ts';
import { shareLeft, weigh } from './charges.ts';
import { askDepartures } from './departures.ts';
import { askExchanges } from './exchanges.ts';
import { leanest } from './leanest.ts';
import type { Leaving } from './leaving.ts';
import { alternatives, type LeftOut, reasons } from './left-out.ts';
import { askNeighbours } from './neighbours.ts';
import { Room } from './room.ts';
import { searchSets } from './search/local-search.ts';
import type { KnownCandidate, PlanBook } from './search/plan-book.ts';
import { SetModel, type SetRules } from './search/set-model.ts';
import type { SetState } from './search/set-state.ts';
import type { AdvisorStatement } from './statement.ts';
import { withoutUnread } from './statistics-only.ts';
import { askSwaps } from './swaps.ts';
import type { WriteCost } from './write-cost.ts';

export interface Contender extends KnownCandidate {
  candidate: Candidate;
  size: IndexSize;
  size_bytes: number;
  /** What it takes of a budget: more than its size where statistics leave that open. */
  reserved_bytes: number;
  write: WriteCost;
  /** Saved cost × calls when it is the only new index, before write cost. */
  alone: number;
  /** Key of one no larger that the planner preferred for a statement, so that `alone` leaves that one's saving out. */
  beaten_by?: string | undefined;
  /** Handles of those that it was made out of by merging or shortening; empty: a statement asked for it. */
  merged_of: readonly string[];
  /** open: advised by an earlier analysis and not decided on. committed: approved or at work. Absent: new. */
  standing?: 'open' | 'committed';
}

/** What joins the search on its way, and the existing indexes that it supersedes. */
export interface MoreContenders {
  contenders: Contender[];
  leaving: Leaving[];
}

export interface SelectionInput {
  statements: readonly AdvisorStatement[];
  contenders: Contender[];
  /** Existing indexes that a contender supersedes; all of them are there as long as the search says nothing else. */
  leaving: Leaving[];
  book: PlanBook;
  /** Cost × calls of all statements without new indexes. */
  base: number;
  /** Bytes in all; null: no limit. */
  budget_bytes: number | null;
  /** Bytes of the tables that the workload reads: what new indexes' bytes are set against where there is no budget. */
  tables_bytes: number;
  /** Share by which no sample of a statement may cost more than now because an existing index leaves. */
  max_regression: number;
  /** Indexes that a table may have at most, existing ones with them; null: any number. */
  max_indexes_per_table: number | null;
  /** Indexes on a table now, by its OID. */
  indexes_on: (tableOid: number) => number;
  /** True: candidates are weighed further once no better set of those before is found; else first of all. */
  in_stages: boolean;
  /**
   * Goes on weighing candidates.
   * @param deadline epoch ms at which the search ends.
   * @returns null: all are weighed; else what became a contender (none: plans may have been shown all the same).
   */
  weighMore: (deadline: number) => Promise<MoreContenders | null>;
  /**
   * Makes more contenders out of a good set, by merging and shortening its members, and says which existing ones they
   * supersede; empty: nothing more comes to mind.
   */
  widen: (chosen: readonly Contender[]) => Promise<MoreContenders>;
  /** Share of the workload's cost (as charges.ts measures it) that an index must save to be worth having, on tables that matter. */
  minimum_gain: number;
  /** Epoch ms at which the planner is asked no more. */
  deadline: number;
  /** Epoch ms until which the last search may take what the last answers told. */
  last_deadline: number;
  /** Called with a line for a person, once a round. */
  progress: (message: string) => void;
}

/** The best set by the plans known so far, some of which are taken for dearer than they are: what a search cut off gives. */
export interface SetOnTheWay {
  chosen: Contender[];
  dropped: Leaving[];
  /** `PlanBook.questions` by then. */
  questions: number;
}

export interface Selection {
  chosen: Contender[];
  /** Existing indexes that the chosen ones replace. */
  dropped: Leaving[];
  /** Handles of the chosen and of those existing ones that stay: the set as the book of plans names it. */
  handles: ReadonlySet<string>;
  /** Contenders that were left out, with why. */
  left: LeftOut[];
  /** True: the deadline ended the search. */
  cut_short: boolean;
  /** The best set of each round in which the planner was asked about a set and its neighbours, and one from before. */
  path: SetOnTheWay[];
  /** Costs that followed from plans that the planner had shown. */
  concluded: number;
}

/** Searching and asking in turns; each shows what the one before could not know. */
const MAX_ROUNDS = 80;
/**
 * A round that makes the set better by less than this share of what it costs is idle. Exchanges are asked about in idle
 * rounds only: while the set still changes, they are of members that may leave. After some idle rounds in a row it is
 * settled (49 samples, 11 budgets: a fifth fewer questions than with exchanges in all of up to 24 rounds, the same cost).
 */
const LEAST_PROGRESS = 1e-4;
const MOST_IDLE = 2;
/** Effort of the search between questions, and of the last one. */
const SHAKES_BETWEEN = 5;
const SHAKES_AT_LAST = 24;
/** Times that contenders are made out of the best set's members. */
const MAX_WIDENED = 3;

/** Searches, asks, and searches again. */
export async function selectIndexes(input: SelectionInput): Promise<Selection> {
  const { book, statements } = input;
  const limits = {
    budget_bytes: input.budget_bytes ?? Number.POSITIVE_INFINITY,
    deadline: input.deadline,
    shakes: SHAKES_BETWEEN,
    thorough: false,
  };
  let weighed = weigh(input, book.present);
  let rivals = alternatives(input.contenders);
  const modelOf = () => new SetModel(statements, weighed, rivals, book, rulesOf(input));
  const join = (more: MoreContenders) => {
    input.contenders.push(...more.contenders);
    input.leaving.push(...more.leaving);
  };
  const path: SetOnTheWay[] = [];
  if (!input.in_stages) {
    // What is known by then may show a good set already.
    const model = modelOf();
    path.push({ ...partsOf(input, searchSets(model, limits, model.present)), questions: book.questions });
    const more = await input.weighMore(input.deadline);
    if (more) join(more);
    weighed = weigh(input, book.present);
    rivals = alternatives(input.contenders);
  }
  input.progress(`choosing among ${input.contenders.length} candidate indexes`);
  await askAboutLeaving(input, input.leaving);
  // Within a budget the neighbours of the search's sets show the same plans for fewer questions (TPC-H: 290 fewer of
  // 1,880 at 450 MB, the same set); without one a grown set is the better beginning (a fifteenth less cost at scale).
  if (input.budget_bytes === null) await growByPlanner(input, weighed, rivals);
  let chosen: readonly number[] | null = null;
  let concluded = 0;
  let widened = 0;
  let idle = 0;
  let last = Number.POSITIVE_INFINITY;
  let before: ReadonlySet<string> = new Set();
  for (let round = 1; round <= MAX_ROUNDS && Date.now() < input.deadline; round += 1) {
    const model = modelOf();
    const found = searchSets(model, limits, chosen ?? model.present);
    chosen = found.members();
    concluded += model.answered;
    idle = last - found.value < LEAST_PROGRESS * found.value ? idle + 1 : 0;
    last = found.value;
    const set: Set<string> = new Set(chosen.map((position) => weighed[position]?.handle ?? ''));
    path.push({ ...partsOf(input, found), questions: book.questions });
    const left = (100 * shareLeft(input, set)).toPrecision(4);
    input.progress(`round ${round}: the best set so far leaves ${left} % of the cost`);
    const room = new Room(found, limits.budget_bytes);
    let asked =
      (await askAbout(input, set, statements)) +
      (await askNeighbours(input, weighed, set, room)) +
      (await askDepartures(input, found, set, room)) +
      (await askSwaps(input, found, set)) +
      (await askWithout(input, set));
    if (asked === 0 || idle > 0) asked += await askExchanges(input, set, room);
    // Plans that were shown meanwhile may take the place of what stands.
    weighed = weigh(input, set);
    // What its members must earn hangs on the set: with another one it is another.
    const isNew = set.size !== before.size || [...set].some((one) => !before.has(one));
    before = set;
    if ((asked > 0 || isNew) && idle < MOST_IDLE) continue;
    idle = 0;
    last = Number.POSITIVE_INFINITY;
    let more = await input.weighMore(input.deadline);
    if (!more) {
      if (widened >= MAX_WIDENED) break;
      widened += 1;
      more = await input.widen(input.contenders.filter(({ handle }) => set.has(handle)));
      if (more.contenders.length === 0) break;
    }
    join(more);
    await askAboutLeaving(input, more.leaving);
    weighed = weigh(input, set);
    rivals = alternatives(input.contenders);
    // Contenders come before the existing ones, so places have changed.
    const stays: Set<string> = new Set([...set, ...more.leaving.map(({ handle }) => handle)]);
    chosen = weighed.flatMap(({ handle }, position) => (stays.has(handle) ? [position] : []));
  }
  const cutShort = Date.now() >= input.deadline;
  const atLast = { ...limits, deadline: input.last_deadline };
  const thoroughly = { ...atLast, shakes: SHAKES_AT_LAST, thorough: true };
  const model = modelOf();
  const best = searchSets(model, thoroughly, chosen ?? model.present);
  const { found: read, left } = await withoutUnread(input, { weighed, found: best }, (charged, members) => {
    weighed = charged;
    return searchSets(modelOf(), thoroughly, members);
  });
  const final = await leanest(input, read, (members) =>
    searchSets(modelOf(), { ...atLast, shakes: 0 }, members),
  );
  const told = new Set(left.map(({ contender }) => contender));
  return {
    ...partsOf(input, final),
    handles: new Set(final.members().map((position) => weighed[position]?.handle ?? '')),
    left: [...left, ...reasons(input, weighed, final).filter(({ contender }) => !told.has(contender))],
    cut_short: cutShort,
    path,
    concluded: concluded + model.answered + book.concluded,
  };
}

/** What joins and what leaves. */
function partsOf(
  { contenders, leaving }: SelectionInput,
  { has }: SetState,
): Pick<Selection, 'chosen' | 'dropped'> {
  return {
    chosen: contenders.filter((_, position) => has[position] === 1),
    dropped: leaving.filter((_, position) => has[contenders.length + position] !== 1),
  };
}

function rulesOf(input: SelectionInput): SetRules {
  const { max_regression, max_indexes_per_table: most } = input;
  if (most === null) return { max_regression };
  const tables = new Set(input.contenders.map(({ table_oid }) => table_oid));
  // Those that are decided on count as there.
  const decided = (oid: number) =>
    input.contenders.filter((one) => one.table_oid === oid && one.standing === 'committed').length;
  const room = [...tables].map((oid): [number, number] => [
    oid,
    Math.max(0, most - input.indexes_on(oid) - decided(oid)),
  ]);
  return { max_regression, room_on_table: new Map(room) };
}
