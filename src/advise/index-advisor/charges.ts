/**
 * What a member of a set must earn before it is worth having, in planner cost units of the whole workload: its writes,
 * the price of its bytes, and enough to be worth a DBA's attention.
 */
import { supersedes } from './covered.ts';
import type { PlanBook } from './search/plan-book.ts';
import type { Weighed } from './search/set-model.ts';
import type { SelectionInput } from './selection.ts';
import { BLOCK_BYTES } from './size-model.ts';
import type { AdvisorStatement } from './statement.ts';
import { SWITCHING_MARGIN, switchingCharges } from './switching.ts';

/**
 * Without a budget bytes have a price, or the last per cent would be bought with any number of them: indexes as large
 * as the tables together must save this share of the workload's cost.
 */
const PRICE_OF_THE_TABLES = 0.1;
/** On a table of which a workload is a small part, an index must save this share of what is done on the table. */
const MINIMUM_GAIN_ON_TABLE = 0.05;
/** Below this share of the whole nobody would see a difference. */
const MINIMUM_GAIN_AT_ALL = 0.000_05;
/** Of what an index must earn to be worth a DBA's attention, so much keeps one that is advised already. */
const KEPT_WORTH = 0.5;

/** As the search weighs it; the last is the part of the charge that it pays for taking the place of standing advice. */
export interface WeighedContender extends Weighed {
  switching?: number;
}

/**
 * Without a budget an index that makes the statements that it serves twice as fast as now need not save a share of what
 * the workload costs now, but of what is left with the best set so far. So what is worth having beside two cured scans
 * that made nearly all of the cost is advised, and what halves the last thousandth of a statement is not.
 */
const TWICE_AS_FAST = 0.5;
/**
 * The same goes for what takes so much of all that is left: once everything else is cured, the last thousandth of a
 * statement is the most of the work, as where an index has the equality and not the order behind it.
 */
const MUCH_OF_WHAT_IS_LEFT = 0.05;
/** So much is enough of what makes twice as fast what is left of the statements that it serves. */
const SOME_OF_WHAT_IS_LEFT = 0.01;
/** There, indexes as large as the tables together must save so many tenths of what is left. */
const PRICED_TIMES_LEFT = 10;

/** Planner cost units × calls of the workload, or of what is done on one table. */
interface Paid {
  /** Without new indexes. */
  now: number;
  /** With the best set so far. */
  left: number;
}

/**
 * What each index must earn: its writes, the price of its bytes, and enough to be worth a DBA's attention. The last is
 * a share of what the workload costs, or where that is spread over many tables, of what is done on its table. What stands
 * from the night before must earn less, and what takes its place more, so that advice does not flap; what is decided on
 * counts as there.
 * @param set the best one so far, as the book of plans names it.
 */
export function weigh(input: SelectionInput, set: ReadonlySet<string>): WeighedContender[] {
  const onTable = new Map<number, Paid>();
  const all: Paid = { now: 0, left: 0 };
  for (const statement of input.statements) {
    const paid = paidFor(input.book, statement, set);
    addTo(all, paid);
    for (const oid of statement.tables) {
      const table = onTable.get(oid) ?? { now: 0, left: 0 };
      onTable.set(oid, table);
      addTo(table, paid);
    }
  }
  const limited = input.budget_bytes !== null;
  // A budget says already how much indexes may be: there it is all measured by what is left.
  const measure = ({ now, left }: Paid) => (limited ? left : now);
  const base = measure(all);
  const served = limited ? null : costServed(input, set);
  const perByte = PRICE_OF_THE_TABLES / Math.max(BLOCK_BYTES, input.tables_bytes);
  const price = perByte * all.now;
  const switchings = switchingCharges(input);
  const candidates = input.contenders.map((contender): WeighedContender => {
    const { handle, table_oid, reserved_bytes, write, standing } = contender;
    const size_bytes = limited ? reserved_bytes : contender.size_bytes;
    const here = measure(onTable.get(table_oid) ?? { now: 0, left: 0 });
    const ofNow = {
      worth: Math.max(
        MINIMUM_GAIN_AT_ALL * base,
        Math.min(input.minimum_gain * base, MINIMUM_GAIN_ON_TABLE * here),
      ),
      bytes: limited ? 0 : price * size_bytes,
    };
    const bytesOfLeft = PRICED_TIMES_LEFT * perByte * all.left * size_bytes;
    const by = served?.get(handle);
    const twice = by === undefined ? Number.POSITIVE_INFINITY : TWICE_AS_FAST * by.now - bytesOfLeft;
    // What an index holds beside keys that are looked up spares some pages of a look-up that is cured already.
    const { definition, is_covering } = contender.candidate;
    const isPlain = definition.include.length === 0 && !is_covering;
    const much = by !== undefined && isPlain ? muchOfLeft(by.left, all.left) : Number.POSITIVE_INFINITY;
    const ofLeft = {
      worth: Math.max(input.minimum_gain * all.left, Math.min(much, twice)),
      bytes: bytesOfLeft,
    };
    const { worth, bytes } = ofLeft.worth + ofLeft.bytes < ofNow.worth + ofNow.bytes ? ofLeft : ofNow;
    const upkeep = write.cost + bytes;
    // Nothing supersedes it: it does not leave.
    if (standing === 'committed') return { handle, table_oid, size_bytes, charge: upkeep, superseded_by: [] };
    if (standing === 'open') {
      const charge = upkeep / (1 + SWITCHING_MARGIN) + KEPT_WORTH * worth;
      return { handle, table_oid, size_bytes, charge };
    }
    const switching = switchings.get(handle) ?? 0;
    return { handle, table_oid, size_bytes, charge: upkeep + worth + switching, switching };
  });
  const existing = input.leaving.map(
    ({ handle, table_oid, rebuilt_bytes, write, index, standing }): Weighed => {
      const superseded_by = input.contenders
        .filter((one) => one.table_oid === table_oid && supersedes(one.candidate.definition, index))
        .map((one) => one.handle);
      const upkeep = write.cost + price * rebuilt_bytes;
      const charge = standing ? (1 + SWITCHING_MARGIN) * upkeep : upkeep;
      return { handle, table_oid, size_bytes: 0, charge, superseded_by };
    },
  );
  return [...candidates, ...existing];
}

/** Share of what the statements cost now, with what is feared of their LIMITs, that is left with a set: 0 to 1. */
export function shareLeft({ book, statements }: SelectionInput, set: ReadonlySet<string>): number {
  const all: Paid = { now: 0, left: 0 };
  for (const statement of statements) addTo(all, paidFor(book, statement, set));
  return all.now > 0 ? all.left / all.now : 1;
}

function paidFor(book: PlanBook, statement: AdvisorStatement, set: ReadonlySet<string>): Paid {
  const now = book.known(statement, book.present)?.charged ?? 0;
  const left = book.known(statement, set)?.charged ?? now;
  return { now: now * statement.query.calls, left: left * statement.query.calls };
}

/** What takes much of all that is left is worth an index, and so does what takes some and halves its own statements. */
function muchOfLeft(ofServed: number, ofAll: number): number {
  const some = Math.max(SOME_OF_WHAT_IS_LEFT * ofAll, TWICE_AS_FAST * ofServed);
  return Math.min(MUCH_OF_WHAT_IS_LEFT * ofAll, some);
}

/** What the statements cost that have a plan with the candidate, by its handle. */
function costServed({ book, statements }: SelectionInput, set: ReadonlySet<string>): Map<string, Paid> {
  const served = new Map<string, Paid>();
  for (const statement of statements) {
    const paid = paidFor(book, statement, set);
    const needed = new Set(book.plans(statement).flatMap(({ plans }) => plans.flatMap(({ needs }) => needs)));
    for (const handle of needed) {
      const sum = served.get(handle) ?? { now: 0, left: 0 };
      served.set(handle, sum);
      addTo(sum, paid);
    }
  }
  return served;
}

function addTo(sum: Paid, { now, left }: Paid): void {
  sum.now += now;
  sum.left += left;
}
