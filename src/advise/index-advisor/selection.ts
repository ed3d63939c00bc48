/**
 * Choosing a set of indexes for the whole workload. The planner shows plans: of each statement without any candidate,
 * with all of them, and with each alone that could matter. By these plans the best set is searched; then the planner
 * is asked about that set and its neighbours, which may show plans that need several together; and so on until it
 * shows nothing new. Value is plan cost × calls, and what writes and bytes cost.
 */
import type { IndexSize } from '../../domain/index.ts';
import type { Candidate } from './candidates.ts';
import { searchSets } from './search/local-search.ts';
import { type KnownCandidate, NOTHING, type PlanBook } from './search/plan-book.ts';
import { SetModel, type Weighed } from './search/set-model.ts';
import type { AdvisorStatement } from './statement.ts';
import type { WriteCost } from './write-cost.ts';

export interface Contender extends KnownCandidate {
  candidate: Candidate;
  size: IndexSize;
  size_bytes: number;
  write: WriteCost;
  /** Saved cost × calls when it is the only new index, before write cost. */
  alone: number;
}

export interface SelectionInput {
  statements: readonly AdvisorStatement[];
  contenders: readonly Contender[];
  book: PlanBook;
  /** Cost × calls of all statements without new indexes. */
  base: number;
  /** Bytes in all; null: no limit. */
  budget_bytes: number | null;
  /** Bytes of the tables that the workload reads: what new indexes' bytes are set against where there is no budget. */
  tables_bytes: number;
  /** Share of the whole workload's cost that an index must save to be worth having, on tables that matter to it. */
  minimum_gain: number;
  /** Epoch ms at which the best set so far is returned. */
  deadline: number;
}

export interface Selection {
  chosen: Contender[];
  /** Contenders that were left out, with why. */
  left: { contender: Contender; code: string; reason: string }[];
  /** True: the deadline ended the search. */
  cut_short: boolean;
  /** Times that the planner was asked about a set and its neighbours. */
  rounds: number;
  /** Costs that followed from plans that the planner had shown. */
  concluded: number;
}

const BLOCK = 8192;
export const bytesOf = (size: IndexSize) => size.pages * BLOCK;

/**
 * Without a budget bytes have a price, or the last per cent would be bought with any number of them: indexes as large
 * as the tables together must save this share of the workload's cost.
 */
const PRICE_OF_THE_TABLES = 0.1;
/** Searching and asking in turns; each shows what the one before could not know. */
const MAX_ROUNDS = 12;
/** Statements that are asked about at most while a set is grown step by step. */
const GROWING_QUESTIONS = 3000;
/** Effort of the search between questions, and of the last one. */
const SHAKES_BETWEEN = 8;
const SHAKES_AT_LAST = 60;
/** Neighbours of a set that are asked about in one round, the most promising first. */
const NEIGHBOURS = 48;

/** Searches, asks, and searches again. */
export async function selectIndexes(input: SelectionInput): Promise<Selection> {
  const { contenders, book, statements } = input;
  const weighed = weigh(input);
  const rivals = alternatives(contenders);
  const limits = {
    budget_bytes: input.budget_bytes ?? Number.POSITIVE_INFINITY,
    deadline: input.deadline,
    shakes: SHAKES_BETWEEN,
    thorough: false,
  };
  const byHandle = new Map(contenders.map((contender, position) => [contender.handle, position]));
  let chosen: number[] = [];
  let rounds = 0;
  let concluded = 0;
  await growByPlanner(input, weighed, rivals);
  for (; rounds < MAX_ROUNDS && Date.now() < input.deadline; rounds += 1) {
    const model = new SetModel(statements, weighed, rivals, book);
    chosen = searchSets(model, limits, chosen).members();
    concluded += model.answered;
    const set = new Set(chosen.map((position) => contenders[position]?.handle ?? ''));
    const asked =
      (await askAbout(input, set, statements)) + (await askNeighbours(input, weighed, byHandle, set));
    if (asked === 0) break;
  }
  const cutShort = Date.now() >= input.deadline;
  const model = new SetModel(statements, weighed, rivals, book);
  const final = searchSets(model, { ...limits, shakes: SHAKES_AT_LAST, thorough: true }, chosen);
  return {
    chosen: final.members().flatMap((position) => contenders[position] ?? []),
    left: reasons(input, weighed, final),
    cut_short: cutShort,
    rounds,
    concluded: concluded + model.answered + book.concluded,
  };
}

/** On a table of which a workload is a small part, an index must save this share of what is done on the table. */
const MINIMUM_GAIN_ON_TABLE = 0.05;
/** Below this share of the whole workload nobody would see a difference. */
const MINIMUM_GAIN_AT_ALL = 0.000_05;

/**
 * What each index must earn: its writes, the price of its bytes, and enough to be worth a DBA's attention. The last is
 * a share of the whole workload, or where that is spread over many tables, of what is done on its table.
 */
function weigh(input: SelectionInput): Weighed[] {
  const { base, minimum_gain } = input;
  const price =
    input.budget_bytes === null ? (PRICE_OF_THE_TABLES * base) / Math.max(BLOCK, input.tables_bytes) : 0;
  const onTable = new Map<number, number>();
  for (const statement of input.statements) {
    const cost = (input.book.known(statement, NOTHING)?.cost ?? 0) * statement.query.calls;
    for (const oid of statement.tables) onTable.set(oid, (onTable.get(oid) ?? 0) + cost);
  }
  return input.contenders.map(({ handle, table_oid, size_bytes, write }) => {
    const worth = Math.max(
      MINIMUM_GAIN_AT_ALL * base,
      Math.min(minimum_gain * base, MINIMUM_GAIN_ON_TABLE * (onTable.get(table_oid) ?? 0)),
    );
    return { handle, size_bytes, charge: write.cost + worth + price * size_bytes };
  });
}

/**
 * Asks about the statements whose cost under the set does not follow from what is known.
 * @returns how many there were.
 */
async function askAbout(
  { book }: SelectionInput,
  set: ReadonlySet<string>,
  statements: readonly AdvisorStatement[],
): Promise<number> {
  const open = statements.filter((statement) => book.known(statement, set) === null);
  if (open.length > 0) await book.ask(open, set);
  return open.length;
}

/**
 * A greedy set, each step asked of the planner: on its way it shows the plans that need several indexes together. What
 * an index saves mostly falls as others join, so its last known gain orders the queue and the front is asked again.
 */
async function growByPlanner(
  input: SelectionInput,
  weighed: readonly Weighed[],
  rivals: ReadonlyMap<number, ReadonlySet<number>>,
): Promise<void> {
  const { book, contenders, statements } = input;
  const set = new Set<string>();
  const members: number[] = [];
  let bytes = 0;
  let asked = 0;
  const touching = new Map<string, AdvisorStatement[]>(contenders.map(({ handle }) => [handle, []]));
  for (const statement of statements) {
    for (const handle of book.relevant(statement)) touching.get(handle)?.push(statement);
  }
  const rank = (position: number, gain: number) =>
    gain / Math.sqrt(Math.max(BLOCK, weighed[position]?.size_bytes ?? 0));
  const queue = contenders
    .map((contender, position) => {
      const gain = contender.alone - (weighed[position]?.charge ?? 0);
      return { position, handle: contender.handle, rank: rank(position, gain), round: -1 };
    })
    .filter((item) => item.rank > 0)
    .sort((a, b) => b.rank - a.rank);
  for (let round = 0; asked < GROWING_QUESTIONS && Date.now() < input.deadline; ) {
    const [first] = queue;
    if (!first || first.rank <= 0) return;
    const { size_bytes = 0, charge = 0 } = weighed[first.position] ?? {};
    const full = input.budget_bytes !== null && bytes + size_bytes > input.budget_bytes;
    if (full || members.some((member) => rivals.get(first.position)?.has(member))) {
      queue.shift();
    } else if (first.round === round) {
      queue.shift();
      set.add(first.handle);
      members.push(first.position);
      bytes += size_bytes;
      round += 1;
    } else {
      const beside = new Set([...set, first.handle]);
      const touched = touching.get(first.handle) ?? [];
      asked += await askAbout(input, set, touched);
      asked += await askAbout(input, beside, touched);
      const gain = touched.reduce((sum, statement) => {
        const [before, after] = [book.known(statement, set), book.known(statement, beside)];
        return sum + ((before?.cost ?? 0) - (after?.cost ?? 0)) * statement.query.calls;
      }, 0);
      first.rank = rank(first.position, gain - charge);
      first.round = round;
      queue.shift();
      const place = queue.findIndex((item) => item.rank < first.rank);
      queue.splice(place === -1 ? queue.length : place, 0, first);
    }
  }
}

/**
 * One more index beside the set: asked about where the bounds leave room for it to pay, which is where it may work
 * together with members in a way that no plan has shown yet.
 */
async function askNeighbours(
  input: SelectionInput,
  weighed: readonly Weighed[],
  byHandle: ReadonlyMap<string, number>,
  set: ReadonlySet<string>,
): Promise<number> {
  const { book, statements } = input;
  const hopes = new Map<string, { hope: number; by: AdvisorStatement[] }>();
  const beside = new Set(set);
  for (const statement of statements) {
    const now = book.known(statement, set);
    if (!now) continue;
    for (const handle of book.relevant(statement)) {
      if (set.has(handle) || !byHandle.has(handle)) continue;
      beside.add(handle);
      const hope = book.known(statement, beside)
        ? 0
        : (now.cost - book.lower(statement, beside)) * statement.query.calls;
      beside.delete(handle);
      if (hope <= 0) continue;
      const known = hopes.get(handle) ?? { hope: 0, by: [] };
      known.hope += hope;
      known.by.push(statement);
      hopes.set(handle, known);
    }
  }
  const promising = [...hopes]
    .filter(([handle, { hope }]) => hope > (weighed[byHandle.get(handle) ?? -1]?.charge ?? 0))
    .sort(([, a], [, b]) => b.hope - a.hope)
    .slice(0, NEIGHBOURS);
  for (const [handle, { by }] of promising) {
    if (Date.now() > input.deadline) break;
    await book.ask(by, [...set, handle]);
  }
  return promising.length;
}

/** A block-range index and a plain B-tree that lead with the same column do the same work in two ways. */
function alternatives(contenders: readonly Contender[]): Map<number, Set<number>> {
  const leading = new Map<string, { brin: number[]; btree: number[] }>();
  for (const [position, { candidate, table_oid }] of contenders.entries()) {
    const { method, keys, where } = candidate.definition;
    const column = keys[0]?.column ?? null;
    if (column === null || where !== null || (method !== 'brin' && method !== 'btree')) continue;
    const key = `${table_oid} ${column}`;
    const group = leading.get(key) ?? { brin: [], btree: [] };
    group[method].push(position);
    leading.set(key, group);
  }
  const rivals = new Map<number, Set<number>>();
  for (const { brin, btree } of leading.values()) {
    for (const one of brin) rivals.set(one, new Set(btree));
    for (const one of btree) if (brin.length > 0) rivals.set(one, new Set(brin));
  }
  return rivals;
}

/** Why each contender that is not in the set is not. */
function reasons(
  input: SelectionInput,
  weighed: readonly Weighed[],
  final: ReturnType<typeof searchSets>,
): Selection['left'] {
  const room = (input.budget_bytes ?? Number.POSITIVE_INFINITY) - final.bytes;
  return input.contenders.flatMap((contender, position) => {
    if (final.has[position]) return [];
    const charge = weighed[position]?.charge ?? 0;
    const saved = final.gainOf([position]) + charge;
    const rival = [...(final.model.rivals[position] ?? [])].find((other) => final.has[other]);
    if (rival !== undefined) {
      const other = input.contenders[rival]?.candidate.key;
      const reason = `${other} serves the same ranges; a B-tree and a block-range index on one column are alternatives`;
      return [{ contender, code: 'dominated_by_chosen', reason }];
    }
    if (saved > charge && contender.size_bytes > room) {
      const reason = `its ${megabytes(contender.size_bytes)} do not fit into what is left of the budget, and no other set of this size does more`;
      return [{ contender, code: 'over_budget', reason }];
    }
    const share = (cost: number) => `${((100 * cost) / Math.max(1, input.base)).toFixed(2)} %`;
    if (contender.alone > charge) {
      const reason = `alone it would save ${share(contender.alone)} of the workload's cost, beside the chosen indexes ${share(saved)}, less than it costs (${share(charge)})`;
      return [{ contender, code: 'dominated_by_chosen', reason }];
    }
    const reason = `it saves ${share(contender.alone)} of the workload's cost, less than it costs (${share(charge)})`;
    return [{ contender, code: 'too_small_gain', reason }];
  });
}

/** For people. */
export function megabytes(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
