/** A new index: did its statements get faster through it, and what did the table's writes pay? */
import { type Change, quoteQualified, type Verdict } from '../../domain/index.ts';
import { type Compared, compareAll, pairsOf, tooEarly } from './compare.ts';
import { type Judgement, judgement, type VerifyInput } from './judgement.ts';
import { hotRatio } from './measures.ts';
import { mentionsTable } from './mentions.ts';
import { globalShift, MIN_CALLS, type Pair } from './shift.ts';

/** A write that lost less than this by each call is not worth a word, ms. */
export const MIN_WRITE_LOSS_MS = 0.05;
const WRITES: ReadonlySet<string> = new Set(['insert', 'update', 'delete', 'merge']);

export function isWrite(statementClass: string): boolean {
  return WRITES.has(statementClass);
}

/** A write's few microseconds are not worth a word, nor a wait. */
export const matters = ({ pair, gain_ms }: Compared): boolean =>
  !isWrite(pair.after.class) || Math.abs(gain_ms) > MIN_WRITE_LOSS_MS;

/** Time won over the window after, ms. */
const won = (items: readonly Compared[]): number =>
  items.reduce((sum, item) => sum + item.gain_ms * item.pair.after.calls, 0);

export function verifyIndexCreate(
  input: VerifyInput,
  { index }: Extract<Change, { kind: 'index.create' }>,
): Judgement {
  const { before, after } = input;
  const name = quoteQualified(index.schema, index.name);
  const built = after.snapshot.indexes.find(
    (row) => row.schema === index.schema && row.table === index.table && row.name === index.name,
  );
  if (!built?.is_valid) {
    return judgement('inconclusive', `${name} is ${built ? 'invalid' : 'not there any more'}.`, false);
  }
  const scans = after.window.indexes.find((delta) => delta.oid === built.oid)?.idx_scan ?? 0;
  const affectedIds = new Set(input.affected_query_ids);
  const pairs = pairsOf(before, after);
  const onTable = (query: string) => mentionsTable(query, index.table);
  const changed = new Set([...affectedIds, ...input.otherwise_changed_query_ids]);
  const shift = globalShift(
    pairs.filter((pair) => !changed.has(pair.after.query_id) && !onTable(pair.after.query)),
  );
  const isAffected = (pair: Pair) => affectedIds.has(pair.after.query_id);
  // One family: whichever of them is told to be slower, the verdict is the same.
  const compared = compareAll(
    pairs.filter((pair) => isAffected(pair) || (isWrite(pair.after.class) && onTable(pair.after.query))),
    shift,
    input.max_p,
  );
  const affected = compared.filter(({ pair }) => isAffected(pair));
  const writes = compared.filter(
    (item) => !isAffected(item.pair) && item.word === 'slower' && -item.gain_ms > MIN_WRITE_LOSS_MS,
  );
  const faster = affected.filter((item) => item.word === 'faster');
  const slower = affected.filter((item) => item.word === 'slower' && !isWrite(item.pair.after.class));
  const slowerWrites = [
    ...writes,
    ...affected.filter(
      (item) => item.word === 'slower' && isWrite(item.pair.after.class) && -item.gain_ms > MIN_WRITE_LOSS_MS,
    ),
  ];
  const found = {
    statements: [...affected, ...writes].map((item) => item.measured),
    measures: measuresOf(input, index, scans, shift, won(faster), -won(slowerWrites)),
  };
  const cost = writeCost(slowerWrites);
  if (slower.length > 0) {
    return judgement('regressed', `${slower.length} of its statements got slower.${cost}`, false, found);
  }
  if (slowerWrites.length > 0 && -won(slowerWrites) > won(faster)) {
    return judgement('regressed', `Writes lost more time than reads won.${cost}`, false, found);
  }
  const fading = compared.filter((item) => item.passing === 'fades' && matters(item));
  const fadingWrites = fading.filter((item) => isWrite(item.pair.after.class));
  // A write's loss that would not outweigh what reads won, if it lasted, need not be waited for.
  if (
    fading.length > fadingWrites.length ||
    (fadingWrites.length > 0 && -won([...slowerWrites, ...fadingWrites]) >= won(faster))
  ) {
    return judgement('inconclusive', `${tooEarly(fading.length)}${cost}`, true, found);
  }
  if (faster.length > 0 && scans > 0) {
    const reason = `${faster.length} of ${affectedIds.size} statement(s) got faster, and ${name} was scanned ${scans} time(s).${shiftNote(shift.controls)}${writeCost([...slowerWrites, ...fadingWrites])}`;
    return judgement('succeeded', reason, false, found);
  }
  if (faster.length > 0) {
    return judgement('inconclusive', `Statements got faster, but ${name} was not scanned.`, true, found);
  }
  if (affected.length === 0) return tooFewCalls(input, scans, name, found);
  return judgement(
    'inconclusive',
    `No statement changed by a tenth or more beyond doubt; ${name} was scanned ${scans} time(s).${shiftNote(shift.controls)}${cost}`,
    affected.some((item) => item.undecided) || scans === 0,
    found,
  );
}

/** More time helps only where the window before, which is over, has enough calls. */
function tooFewCalls(
  input: VerifyInput,
  scans: number,
  name: string,
  found: Pick<Verdict, 'statements' | 'measures'>,
): Judgement {
  const ids = new Set(input.affected_query_ids);
  const curable = input.before.workload.queries.some(
    (query) => ids.has(query.query_id) && query.calls >= MIN_CALLS,
  );
  const reason =
    ids.size === 0
      ? `The advice names no statement to compare; ${name} was scanned ${scans} time(s).`
      : `None of its statements ran ${MIN_CALLS} times both before and after; ${name} was scanned ${scans} time(s).`;
  return judgement('inconclusive', reason, curable || (ids.size === 0 && scans === 0), found);
}

function writeCost(writes: readonly Compared[]): string {
  if (writes.length === 0) return '';
  const worst = writes.reduce((a, b) => (a.gain_ms < b.gain_ms ? a : b));
  return ` ${writes.length} write statement(s) on the table got slower, the worst by ${(-worst.gain_ms).toFixed(3)} ms a call.`;
}

function shiftNote(controls: number): string {
  return controls > 0 ? '' : ' There were too few other statements to tell whether everything changed.';
}

function measuresOf(
  { before, after }: VerifyInput,
  index: { schema: string; table: string },
  scans: number,
  shift: { factor: number; controls: number },
  gained: number,
  lost: number,
): Verdict['measures'] {
  return [
    { name: 'idx_scan of the new index', before: null, after: scans, unit: 'scans' },
    {
      name: 'time won by its statements in the window after',
      before: null,
      after: gained,
      unit: 'ms',
    },
    { name: 'time lost by writes in the window after', before: null, after: lost, unit: 'ms' },
    {
      name: 'time of all other statements, after / before',
      before: null,
      after: shift.controls > 0 ? shift.factor : null,
      unit: 'ratio',
    },
    {
      name: 'share of HOT updates on the table',
      before: hotRatio(before, index),
      after: hotRatio(after, index),
      unit: 'share',
    },
  ];
}
