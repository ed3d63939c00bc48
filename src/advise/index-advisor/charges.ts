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
 * Without a budget what an index must earn is measured by what the workload costs now, but by no more than so many times
 * what is left to pay with the best set so far: 0.2 % of the workload's cost, or 2 % of what is left, where that is less.
 * Within one, which says already how much indexes may be, it is measured by what is left alone.
 */
const TIMES_LEFT = 10;

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
 *
 * What the workload cost without any index is no measure by itself: where two scans made nearly all of it and are cured,
 * all others that get twenty times faster would count for nothing. What is left alone is none either: of a workload that
 * is cured but for a thousandth, the last halves would be bought with any number of bytes.
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
  const { minimum_gain } = input;
  const reckoned = ({ now, left }: Paid) => Math.min(now, TIMES_LEFT * left);
  const measure = input.budget_bytes === null ? reckoned : ({ left }: Paid) => left;
  const base = measure(all);
  const price = (PRICE_OF_THE_TABLES * reckoned(all)) / Math.max(BLOCK_BYTES, input.tables_bytes);
  const switchings = switchingCharges(input);
  const candidates = input.contenders.map((contender): WeighedContender => {
    const { handle, table_oid, size_bytes, write, standing } = contender;
    const here = measure(onTable.get(table_oid) ?? { now: 0, left: 0 });
    const worth = Math.max(
      MINIMUM_GAIN_AT_ALL * base,
      Math.min(minimum_gain * base, MINIMUM_GAIN_ON_TABLE * here),
    );
    const upkeep = write.cost + (input.budget_bytes === null ? price * size_bytes : 0);
    // Nothing supersedes it: it does not leave.
    if (standing === 'committed') return { handle, table_oid, size_bytes, charge: upkeep, superseded_by: [] };
    if (standing === 'open') {
      const charge = upkeep / (1 + SWITCHING_MARGIN) + KEPT_WORTH * worth;
      return { handle, table_oid, size_bytes, charge };
    }
    const switching = switchings.get(handle) ?? 0;
    return { handle, table_oid, size_bytes, charge: upkeep + worth + switching, switching };
  });
  const existing = input.leaving.map(({ handle, table_oid, size_bytes, write, index, standing }): Weighed => {
    const superseded_by = input.contenders
      .filter((one) => one.table_oid === table_oid && supersedes(one.candidate.definition, index))
      .map((one) => one.handle);
    const upkeep = write.cost + price * size_bytes;
    const charge = standing ? (1 + SWITCHING_MARGIN) * upkeep : upkeep;
    return { handle, table_oid, size_bytes: 0, charge, superseded_by };
  });
  return [...candidates, ...existing];
}

function paidFor(book: PlanBook, statement: AdvisorStatement, set: ReadonlySet<string>): Paid {
  const now = book.known(statement, book.present)?.charged ?? 0;
  const left = book.known(statement, set)?.charged ?? now;
  return { now: now * statement.query.calls, left: left * statement.query.calls };
}

function addTo(sum: Paid, { now, left }: Paid): void {
  sum.now += now;
  sum.left += left;
}
