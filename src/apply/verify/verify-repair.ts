/** What was repaired: an index that was rebuilt, columns that got statistics together. */
import { bytesWords, type Change, quoteQualified } from '../../domain/index.ts';
import { type Compared, compareAll, pairsOf, tooEarly } from './compare.ts';
import { type Judgement, judgement, type VerifyInput } from './judgement.ts';
import { mentionsTable } from './mentions.ts';
import { globalShift } from './shift.ts';
import { matters } from './verify-create.ts';

/** An index that gave back less was not as bloated as thought. */
const MIN_FREED_SHARE = 0.1;

/** Statements of the table, and those that the advice was about; all others tell what got slower altogether. */
function comparedOn(
  { before, after, affected_query_ids, otherwise_changed_query_ids, max_p }: VerifyInput,
  table: string,
): Compared[] {
  const affected = new Set(affected_query_ids);
  const onTable = (pair: { after: { query_id: string; query: string } }) =>
    affected.has(pair.after.query_id) || mentionsTable(pair.after.query, table);
  const pairs = pairsOf(before, after);
  const others = new Set(otherwise_changed_query_ids);
  const controls = pairs.filter((pair) => !onTable(pair) && !others.has(pair.after.query_id));
  return compareAll(pairs.filter(onTable), globalShift(controls), max_p);
}

const isSlower = (item: Compared) => item.word === 'slower' && matters(item);

/** Succeeded: it is smaller, and nothing on its table got slower. A rebuild cannot be taken back. */
export function verifyReindex(
  input: VerifyInput,
  change: Extract<Change, { kind: 'index.reindex' }>,
): Judgement {
  const name = quoteQualified(change.schema, change.name);
  const sizeIn = ({ snapshot }: VerifyInput['before']) =>
    snapshot.indexes.find((row) => row.schema === change.schema && row.name === change.name)?.size_bytes ??
    null;
  const [earlier, later] = [sizeIn(input.before), sizeIn(input.after)];
  const compared = comparedOn(input, change.table);
  const found = {
    statements: compared.map((item) => item.measured),
    measures: [{ name: 'size of the index', before: earlier, after: later, unit: 'bytes' }],
  };
  if (later === null) {
    return judgement('inconclusive', `${name} is not there any more.`, false, found);
  }
  const slower = compared.filter(isSlower);
  if (slower.length > 0) {
    const reason = `${slower.length} statement(s) on ${quoteQualified(change.schema, change.table)} got slower since ${name} was rebuilt; full pages are split again by the first writes.`;
    return judgement('regressed', reason, false, found);
  }
  const early = compared.filter((item) => item.passing === 'fades' && matters(item));
  if (early.length > 0) return judgement('inconclusive', tooEarly(early.length), true, found);
  return earlier !== null && later <= earlier * (1 - MIN_FREED_SHARE)
    ? judgement(
        'succeeded',
        `${name} went from ${bytesWords(earlier)} to ${bytesWords(later)}, and nothing on its table got slower.`,
        false,
        found,
      )
    : judgement(
        'inconclusive',
        earlier === null
          ? `The size of ${name} before is not known.`
          : `${name} went from ${bytesWords(earlier)} to ${bytesWords(later)}: less than a tenth was freed.`,
        false,
        found,
      );
}

/** Succeeded: they hold data and a statement that they were made for got faster; none got slower. */
export function verifyStatistics(
  input: VerifyInput,
  change: Extract<Change, { kind: 'statistics.create' }>,
): Judgement {
  const name = quoteQualified(change.schema, change.name);
  const row = input.after.snapshot.schema.extended_statistics.find(
    (item) => item.schema === change.schema && item.name === change.name,
  );
  const compared = comparedOn(input, change.table);
  const found = { statements: compared.map((item) => item.measured) };
  if (!row) return judgement('inconclusive', `The statistics ${name} are not there any more.`, false, found);
  if (row.data === null) {
    return judgement('inconclusive', `The statistics ${name} hold nothing yet.`, true, found);
  }
  const slower = compared.filter(isSlower);
  if (slower.length > 0) {
    const reason = `${slower.length} statement(s) got slower since ${name} are there.`;
    return judgement('regressed', reason, false, found);
  }
  const early = compared.filter((item) => item.passing === 'fades' && matters(item));
  if (early.length > 0) return judgement('inconclusive', tooEarly(early.length), true, found);
  const affected = new Set(input.affected_query_ids);
  const faster = compared.filter((item) => item.word === 'faster' && affected.has(item.pair.after.query_id));
  return faster.length > 0
    ? judgement('succeeded', `${faster.length} statement(s) got faster with ${name}.`, false, found)
    : judgement(
        'inconclusive',
        `No statement that ${name} were made for got measurably faster.`,
        compared.length === 0 || compared.some((item) => item.undecided),
        found,
      );
}
