/**
 * Choosing a set of indexes for the whole workload: each statement's own best ones are the start, then the index with
 * the most benefit (per byte, under a budget) joins until none pays, then members that others made superfluous leave
 * and are swapped for better ones. Benefit is saved plan cost × calls, less what writes pay.
 */
import type { IndexSize } from '../../domain/index.ts';
import type { Candidate } from './candidates.ts';
import type { CostBook, KnownCandidate } from './cost-book.ts';
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
  book: CostBook;
  /** Bytes in all; null: no limit. */
  budget_bytes: number | null;
  /** Share of the whole workload's cost that an index must save to be worth having. */
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
}

const BLOCK = 8192;
export const bytesOf = (size: IndexSize) => size.pages * BLOCK;

/** Without a budget, an index as large as its table must do this much more than a tiny one to go first. */
const BULK_PENALTY = 0.3;
const bulk = ({ size_bytes, candidate }: Contender) =>
  size_bytes / (BLOCK * Math.max(1, candidate.table.row.main_pages));

/** Calls × cost of the statements that touch one of these tables. */
async function costOf(
  input: SelectionInput,
  set: readonly Contender[],
  tables: ReadonlySet<number> | null,
): Promise<number> {
  let total = 0;
  for (const statement of input.statements) {
    if (tables && ![...tables].some((oid) => statement.tables.has(oid))) continue;
    const answer = await input.book.cost(statement, set);
    if ('cost' in answer) total += answer.cost * statement.query.calls;
  }
  return total;
}

/** Chooses greedily with lazy re-evaluation, then improves. */
export async function selectIndexes(input: SelectionInput): Promise<Selection> {
  const base = await costOf(input, [], null);
  const threshold = input.minimum_gain * base;
  const left: Selection['left'] = [];
  const chosen: Contender[] = [];
  let used = 0;
  let cutShort = false;

  // What an index saves only falls as others join (nearly always): the last known benefit is a bound, and only the
  // front of the queue is asked again.
  const queue = input.contenders
    .filter((contender) => contender.alone - contender.write.cost > 0)
    .map((contender) => ({ contender, benefit: contender.alone - contender.write.cost, round: -1 }));
  const rank = (item: { contender: Contender; benefit: number }) =>
    input.budget_bytes === null
      ? item.benefit / (1 + bulkPenalty(item.contender, chosen) * bulk(item.contender))
      : item.benefit / Math.max(BLOCK, item.contender.size_bytes);

  for (let round = 0; queue.length > 0; ) {
    if (Date.now() > input.deadline) {
      cutShort = true;
      break;
    }
    queue.sort((a, b) => rank(b) - rank(a));
    const [first] = queue;
    if (!first) break;
    const { contender } = first;
    const rival = chosen.find((other) => isAlternative(contender, other));
    if (rival) {
      queue.shift();
      left.push({
        contender,
        code: 'dominated_by_chosen',
        reason: `${rival.candidate.key} serves the same ranges; a B-tree and a block-range index on one column are alternatives`,
      });
      continue;
    }
    if (input.budget_bytes !== null && used + contender.size_bytes > input.budget_bytes) {
      queue.shift();
      left.push({
        contender,
        code: 'over_budget',
        reason: `its ${megabytes(contender.size_bytes)} do not fit into what is left of the budget`,
      });
      continue;
    }
    if (first.round === round) {
      queue.shift();
      if (first.benefit <= threshold) {
        left.push({ contender, ...tooLittle(contender, first.benefit, base) });
        continue;
      }
      const alike = chosen.find((other) => overlaps(contender, other));
      if (input.budget_bytes === null && alike) {
        const gain = await gainWhereItHelps(input, chosen, contender);
        if (gain < OVERLAP_GAIN) {
          left.push({
            contender,
            code: 'dominated_by_chosen',
            reason: `beside ${alike.candidate.key} it would make the statements that it helps only ${(100 * gain).toFixed(0)} % cheaper still`,
          });
          continue;
        }
      }
      chosen.push(contender);
      used += contender.size_bytes;
      round += 1;
      continue;
    }
    const tables = new Set([contender.table_oid]);
    const before = await costOf(input, chosen, tables);
    const after = await costOf(input, [...chosen, contender], tables);
    first.benefit = before - after - contender.write.cost;
    first.round = round;
  }
  for (const { contender } of queue) {
    left.push({
      contender,
      code: 'deadline',
      reason: 'the time for this analysis was used up before it was weighed',
    });
  }
  const improved = cutShort ? chosen : await improve(input, chosen, threshold, left);
  return { chosen: improved, left, cut_short: cutShort };
}

/** A block-range index and a plain B-tree that lead with the same column do the same work in two ways. */
function isAlternative(a: Contender, b: Contender): boolean {
  if (a.table_oid !== b.table_oid) return false;
  const [first, second] = [a.candidate.definition, b.candidate.definition];
  if (first.where !== null || second.where !== null) return false;
  const methods = new Set([first.method, second.method]);
  return methods.has('brin') && methods.has('btree') && first.keys[0]?.column === second.keys[0]?.column;
}

/** Without a budget, an index beside one with the same leading key must make what it helps this much cheaper still. */
const OVERLAP_GAIN = 0.25;
/** How much more its bytes count then. */
const OVERLAP_PENALTY = 3;

function bulkPenalty(contender: Contender, chosen: readonly Contender[]): number {
  return chosen.some((other) => overlaps(contender, other)) ? OVERLAP_PENALTY : BULK_PENALTY;
}

/** Share that the statements which get cheaper at all save, 0..1. */
async function gainWhereItHelps(
  input: SelectionInput,
  chosen: readonly Contender[],
  contender: Contender,
): Promise<number> {
  let before = 0;
  let after = 0;
  for (const statement of input.statements) {
    if (!statement.tables.has(contender.table_oid)) continue;
    const without = await input.book.cost(statement, chosen);
    const withIt = await input.book.cost(statement, [...chosen, contender]);
    if (!('cost' in without) || !('cost' in withIt) || withIt.cost >= 0.99 * without.cost) continue;
    before += without.cost * statement.query.calls;
    after += withIt.cost * statement.query.calls;
  }
  return before === 0 ? 0 : 1 - after / before;
}

/** Whether two indexes lead with the same key over the same rows: much of what one serves the other serves too. */
function overlaps(a: Contender, b: Contender): boolean {
  const [first, second] = [a.candidate.definition, b.candidate.definition];
  return (
    a.table_oid === b.table_oid &&
    first.method === second.method &&
    first.where === second.where &&
    first.keys[0]?.column === second.keys[0]?.column &&
    first.keys[0]?.expression === second.keys[0]?.expression
  );
}

function tooLittle(contender: Contender, benefit: number, base: number): { code: string; reason: string } {
  const share = (100 * contender.alone) / base;
  return contender.alone > 2 * Math.max(0, benefit) && contender.alone > 0.003 * base
    ? {
        code: 'dominated_by_chosen',
        reason: `alone it would save ${share.toFixed(2)} % of the workload's cost, but the chosen indexes save that already`,
      }
    : {
        code: 'too_small_gain',
        reason: `it saves ${share.toFixed(3)} % of the workload's cost, not worth an index`,
      };
}

/** Members that no longer pay leave; members are exchanged for an index of their table that does more for the set. */
async function improve(
  input: SelectionInput,
  start: Contender[],
  threshold: number,
  left: Selection['left'],
): Promise<Contender[]> {
  let set = start;
  for (let changed = true; changed && Date.now() < input.deadline; ) {
    changed = false;
    for (const member of set) {
      const rest = set.filter((other) => other !== member);
      const tables = new Set([member.table_oid]);
      const withIt = await costOf(input, set, tables);
      const without = await costOf(input, rest, tables);
      if (without - withIt - member.write.cost <= threshold) {
        left.push({
          contender: member,
          code: 'dominated_by_chosen',
          reason: 'indexes chosen after it do its work too',
        });
        set = rest;
        changed = true;
        break;
      }
      const better = await bestExchange(input, member, rest, withIt + member.write.cost, without);
      if (better) {
        left.push({
          contender: member,
          code: 'exchanged',
          reason: `${better.candidate.key} does more in its place`,
        });
        set = [...rest, better];
        changed = true;
        break;
      }
      if (Date.now() > input.deadline) break;
    }
  }
  return set;
}

/** An exchange must save at least this share of what is there, or searching would go round in circles. */
const EXCHANGE_GAIN = 0.002;
/** Without a budget a larger index must save this much more than the one that it replaces. */
const LARGER_GAIN = 0.1;
/** Contenders of the same table that are tried in a member's place, the best alone first. */
const EXCHANGES_TRIED = 12;

async function bestExchange(
  input: SelectionInput,
  member: Contender,
  rest: Contender[],
  present: number,
  without: number,
): Promise<Contender | null> {
  const used = rest.reduce((sum, other) => sum + other.size_bytes, 0);
  const room = input.budget_bytes === null ? Number.POSITIVE_INFINITY : input.budget_bytes - used;
  const others = input.contenders
    .filter(
      (other) =>
        other.table_oid === member.table_oid &&
        other !== member &&
        !rest.includes(other) &&
        other.size_bytes <= room,
    )
    .toSorted((a, b) => b.alone - a.alone)
    .slice(0, EXCHANGES_TRIED);
  let best: Contender | null = null;
  let bestCost = present * (1 - EXCHANGE_GAIN);
  for (const other of others) {
    if (rest.some((third) => isAlternative(other, third))) continue;
    // Where bytes are free, more of them still want a reason: a tenth more saved than by what stands here.
    const larger = input.budget_bytes === null && other.size_bytes > member.size_bytes;
    const needed = larger ? present - LARGER_GAIN * (without - present) : Number.POSITIVE_INFINITY;
    const cost = (await costOf(input, [...rest, other], new Set([member.table_oid]))) + other.write.cost;
    if (cost < Math.min(bestCost, needed)) {
      best = other;
      bestCost = cost;
    }
  }
  return best;
}

/** For people. */
export function megabytes(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
