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
 * as the tables together must save this share of what is left to pay.
 */
const PRICE_OF_THE_TABLES = 0.1;
/** On a table of which a workload is a small part, an index must save this share of what is left to pay on the table. */
const MINIMUM_GAIN_ON_TABLE = 0.05;
/** Below this share of what is left to pay nobody would see a difference. */
const MINIMUM_GAIN_AT_ALL = 0.000_05;
/** Of what an index must earn to be worth a DBA's attention, so much keeps one that is advised already. */
const KEPT_WORTH = 0.5;

/** As the search weighs it; the last is the part of the charge that it pays for taking the place of standing advice. */
export interface WeighedContender extends Weighed {
  switching?: number;
}

/**
 * What each index must earn: its writes, the price of its bytes, and enough to be worth a DBA's attention. The last is
 * a share of what is left to pay with the best set so far, or where that is spread over many tables, of what is left on
 * its table. What stands from the night before must earn less, and what takes its place more, so that advice does not
 * flap; what is decided on counts as there.
 *
 * Left to pay is of each statement what it costs with the set, but no more than indexes can save of it at all, by the
 * plans that are known. What the workload cost without any index is no measure: where two scans made nearly all of it
 * and are cured, the rest would count for nothing. Nor is what one statement costs that no index can help.
 * @param set the best one so far, as the book of plans names it.
 */
export function weigh(input: SelectionInput, set: ReadonlySet<string>): WeighedContender[] {
  const onTable = new Map<number, number>();
  let left = 0;
  for (const statement of input.statements) {
    const cost = leftToPay(input.book, statement, set) * statement.query.calls;
    left += cost;
    for (const oid of statement.tables) onTable.set(oid, (onTable.get(oid) ?? 0) + cost);
  }
  const price = pricePerByte(input, left);
  const { minimum_gain } = input;
  const switchings = switchingCharges(input);
  const candidates = input.contenders.map((contender): WeighedContender => {
    const { handle, table_oid, size_bytes, write, standing } = contender;
    const worth = Math.max(
      MINIMUM_GAIN_AT_ALL * left,
      Math.min(minimum_gain * left, MINIMUM_GAIN_ON_TABLE * (onTable.get(table_oid) ?? 0)),
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

/** Planner cost units of a call. */
function leftToPay(book: PlanBook, statement: AdvisorStatement, set: ReadonlySet<string>): number {
  const now = book.known(statement, book.present)?.charged ?? 0;
  const charged = book.known(statement, set)?.charged ?? now;
  return Math.max(0, Math.min(charged, now - book.least(statement)));
}

/** Planner cost units of the workload for a byte: indexes as large as the tables together are a share of what is left. */
const pricePerByte = ({ tables_bytes }: SelectionInput, left: number) =>
  (PRICE_OF_THE_TABLES * left) / Math.max(BLOCK_BYTES, tables_bytes);
