/** A dropped index: did anything that uses its table get slower without it? */
import { type Change, quoteQualified } from '../../domain/index.ts';
import { type Compared, compareAll, pairsOf } from './compare.ts';
import { type Judgement, judgement, type VerifyInput } from './judgement.ts';
import { hotRatio } from './measures.ts';
import { mentionsTable } from './mentions.ts';
import { blocksPerCall, globalShift, MIN_CALLS } from './shift.ts';
import { matters } from './verify-create.ts';

/** That nothing was seen to get slower is no proof: so much must be ruled out, at 99 %. */
const MOST_LOSS = 0.25;
/** And this long a window is asked for, s: in minutes few of a table's statements run. */
const LEAST_SECONDS = 3_600;
/** The same plan reads the same blocks: another one would show there, and load does not. */
const SAME_BLOCKS = 0.05;

function readsTheSame({ pair: { before, after }, passing }: Compared): boolean {
  const was = blocksPerCall(before);
  return passing === null && was > 0 && Math.abs(blocksPerCall(after) / was - 1) <= SAME_BLOCKS;
}

export function verifyIndexDrop(
  { before, after, affected_query_ids, otherwise_changed_query_ids, max_p }: VerifyInput,
  change: Extract<Change, { kind: 'index.drop' }>,
): Judgement {
  const name = quoteQualified(change.schema, change.name);
  if (after.snapshot.indexes.some((row) => row.schema === change.schema && row.name === change.name)) {
    return judgement('inconclusive', `There is an index ${name} again.`, false);
  }
  const affected = new Set(affected_query_ids);
  const onTable = (pair: { after: { query_id: string; query: string } }) =>
    affected.has(pair.after.query_id) || mentionsTable(pair.after.query, change.table);
  const pairs = pairsOf(before, after);
  const others = new Set(otherwise_changed_query_ids);
  const shift = globalShift(pairs.filter((pair) => !onTable(pair) && !others.has(pair.after.query_id)));
  const compared = compareAll(pairs.filter(onTable), shift, max_p);
  const slower = compared.filter((item) => item.word === 'slower' && matters(item));
  const found = {
    statements: compared.map((item) => item.measured),
    measures: [
      {
        name: 'size of the index',
        before:
          before.snapshot.indexes.find((row) => row.schema === change.schema && row.name === change.name)
            ?.size_bytes ?? null,
        after: 0,
        unit: 'bytes',
      },
      {
        name: 'share of HOT updates on the table',
        before: hotRatio(before, change),
        after: hotRatio(after, change),
        unit: 'share',
      },
    ],
  };
  if (slower.length > 0) {
    return judgement(
      'regressed',
      `${slower.length} statement(s) on ${quoteQualified(change.schema, change.table)} got slower without ${name}.`,
      false,
      found,
    );
  }
  if (compared.length === 0) {
    return judgement(
      'inconclusive',
      `No statement on its table ran ${MIN_CALLS} times both before and after.`,
      true,
      found,
    );
  }
  const none = `None of ${compared.length} statement(s) on its table got slower without ${name}`;
  const unsure = compared.filter(
    (item) =>
      (item.passing === 'fades' && matters(item)) || (item.may_have_lost >= MOST_LOSS && !readsTheSame(item)),
  );
  if (unsure.length > 0 || after.window.seconds < LEAST_SECONDS) {
    const why =
      unsure.length > 0
        ? `${unsure.length} of them may have lost a quarter or more`
        : 'an hour at least is needed to say that none does';
    return judgement('inconclusive', `${none}, but ${why}.`, true, found);
  }
  return judgement('succeeded', `${none}.`, false, found);
}
