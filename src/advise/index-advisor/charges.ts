/**
 * What a member of a set must earn before it is worth having, in planner cost units of the whole workload: its writes,
 * the price of its bytes, and enough to be worth a DBA's attention.
 */
import { supersedes } from './covered.ts';
import type { Weighed } from './search/set-model.ts';
import type { SelectionInput } from './selection.ts';
import { BLOCK_BYTES } from './size-model.ts';
import { SWITCHING_MARGIN, switchingCharges } from './switching.ts';

/**
 * Without a budget bytes have a price, or the last per cent would be bought with any number of them: indexes as large
 * as the tables together must save this share of the workload's cost (but for statements that hide all others).
 */
const PRICE_OF_THE_TABLES = 0.1;
/** On a table of which a workload is a small part, an index must save this share of what is done on the table. */
const MINIMUM_GAIN_ON_TABLE = 0.05;
/** Below this share of the whole workload nobody would see a difference. */
const MINIMUM_GAIN_AT_ALL = 0.000_05;
/** A statement with more of the cost hides all others: once it is served they are the workload. */
const HIDES_OTHERS = 0.5;
/** Others that are less of the cost than this matter no more than as if they were as much. */
const LEAST_MEASURE = 0.1;
/** Of what an index must earn to be worth a DBA's attention, so much keeps one that is advised already. */
const KEPT_WORTH = 0.5;

/** As the search weighs it; the last is the part of the charge that it pays for taking the place of standing advice. */
export interface WeighedContender extends Weighed {
  switching?: number;
}

/**
 * What each index must earn: its writes, the price of its bytes, and enough to be worth a DBA's attention. The last is
 * a share of the whole workload, or where that is spread over many tables, of what is done on its table. What stands
 * from the night before must earn less, and what takes its place more, so that advice does not flap; what is decided on
 * counts as there.
 * @param left what the workload costs with the best set so far: within a budget of bytes, which says already how much
 * indexes may be, an index is worth its place by its share of that; without one by its share of what the workload costs
 * now, but for statements that hide all others as long as they are not served.
 */
export function weigh(input: SelectionInput, left: number): WeighedContender[] {
  const { minimum_gain } = input;
  const measure = Math.min(input.base, Math.max(left, costOfTheOthers(input), LEAST_MEASURE * input.base));
  const base = input.budget_bytes === null ? measure : left;
  const pricePerByte = (PRICE_OF_THE_TABLES * measure) / Math.max(BLOCK_BYTES, input.tables_bytes);
  const price = input.budget_bytes === null ? pricePerByte : 0;
  const onTable = new Map<number, number>();
  for (const statement of input.statements) {
    const cost = (input.book.known(statement, input.book.present)?.cost ?? 0) * statement.query.calls;
    for (const oid of statement.tables) onTable.set(oid, (onTable.get(oid) ?? 0) + cost);
  }
  const switchings = switchingCharges(input);
  const candidates = input.contenders.map((contender): WeighedContender => {
    const { handle, table_oid, reserved_bytes, write, standing } = contender;
    const size_bytes = input.budget_bytes === null ? contender.size_bytes : reserved_bytes;
    const worth = Math.max(
      MINIMUM_GAIN_AT_ALL * base,
      Math.min(minimum_gain * base, MINIMUM_GAIN_ON_TABLE * (onTable.get(table_oid) ?? 0)),
    );
    const upkeep = write.cost + price * size_bytes;
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
    const upkeep = write.cost + pricePerByte * size_bytes;
    const charge = standing ? (1 + SWITCHING_MARGIN) * upkeep : upkeep;
    return { handle, table_oid, size_bytes: 0, charge, superseded_by };
  });
  return [...candidates, ...existing];
}

/** Calls × cost now without the dearest statement as long as that has more than half of it and is not the last. */
function costOfTheOthers({ statements, book }: SelectionInput): number {
  const costs = statements
    .map((statement) => (book.known(statement, book.present)?.cost ?? 0) * statement.query.calls)
    .filter((cost) => cost > 0)
    .sort((a, b) => b - a);
  let others = costs.reduce((sum, cost) => sum + cost, 0);
  for (const cost of costs.slice(0, -1)) {
    if (cost <= HIDES_OTHERS * others) break;
    others -= cost;
  }
  return others;
}
