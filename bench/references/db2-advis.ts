/**
 * DB2Advis: Valentin, Zuliani, Zilio, Lohman, Skelley, "DB2 Advisor: An Optimizer Smart Enough to Recommend Its Own
 * Indexes", ICDE 2000. One question a statement with all of its candidates says which are used and what they save
 * together; they are taken by saving for bytes, prefixes folded into what subsumes them, as a knapsack; then members are
 * exchanged at random as long as the time for it lasts.
 */
import { type ReferenceAlgorithm, type SelectionTask, usedIndexes } from './algorithm.ts';
import { type ColumnIndex, subsumes } from './column-index.ts';

/** TRY_VARIATION's time, and exchanges in a row without a gain after which more are of no use. */
const VARIATION_SECONDS = 10;
const VAIN_VARIATIONS = 2000;
/** Members that are exchanged at once at most. */
const MOST_EXCHANGED = 4;

interface Benefit {
  index: ColumnIndex;
  saved: number;
}

export const db2Advis: ReferenceAlgorithm = async (task) => {
  const { evaluator, budget_bytes } = task;
  const { used, statements } = await usedIndexes(task);
  const ratio = ({ index, saved }: Benefit) => saved / Math.max(1, evaluator.bytes([index]));
  const byRatio = (a: Benefit, b: Benefit) => ratio(b) - ratio(a) || a.index.id - b.index.id;
  const benefits = used.map((index): Benefit => {
    const users = statements.filter((statement) => statement.used.includes(index));
    return { index, saved: users.reduce((sum, { saved }) => sum + saved, 0) };
  });
  const folded = foldSubsumed(benefits.sort(byRatio)).sort(byRatio);
  const chosen: ColumnIndex[] = [];
  for (const { index } of folded) {
    if (evaluator.bytes([...chosen, index]) <= budget_bytes) chosen.push(index);
  }
  const others = folded.map(({ index }) => index).filter((index) => !chosen.includes(index));
  return vary(task, chosen, others);
};

/** What an index of a higher ratio leads with, it does too: it gets the other's saving, and the other goes. */
function foldSubsumed(benefits: readonly Benefit[]): Benefit[] {
  const kept: Benefit[] = [];
  for (const benefit of benefits) {
    const better = kept.find(({ index }) => subsumes(index, benefit.index));
    if (better) better.saved += benefit.saved;
    else kept.push({ ...benefit });
  }
  return kept;
}

async function vary(
  { evaluator, budget_bytes }: SelectionTask,
  chosen: readonly ColumnIndex[],
  left: readonly ColumnIndex[],
): Promise<ColumnIndex[]> {
  const most = Math.min(MOST_EXCHANGED, chosen.length, left.length);
  if (most === 0) return [...chosen];
  const all = [...chosen, ...left];
  const random = randomNumbers(1);
  const until = evaluator.seconds + VARIATION_SECONDS;
  let current = await evaluator.open(chosen);
  for (let vain = 0; vain < VAIN_VARIATIONS && evaluator.seconds < until && !evaluator.isOver; vain += 1) {
    const count = 1 + Math.floor(random() * most);
    const leaving = sample([...current.indexes], count, random);
    const outside = all.filter((index) => !current.indexes.has(index));
    let bytes = current.bytes - evaluator.bytes(leaving);
    const joining = sample(outside, count, random).filter((index) => {
      const size = evaluator.bytes([index]);
      if (bytes + size > budget_bytes) return false;
      bytes += size;
      return true;
    });
    const cost = await evaluator.exchanged(current, leaving, joining);
    if (cost >= current.cost) continue;
    const staying = [...current.indexes].filter((index) => !leaving.includes(index));
    current = await evaluator.open([...staying, ...joining]);
    vain = 0;
  }
  return [...current.indexes];
}

function sample<T>(from: readonly T[], count: number, random: () => number): T[] {
  const rest = [...from];
  const taken: T[] = [];
  while (taken.length < count && rest.length > 0) {
    taken.push(...rest.splice(Math.floor(random() * rest.length), 1));
  }
  return taken;
}

/** Mulberry32: two runs exchange the same members. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
