/** A new index: did its statements get faster through it, and what did the table's writes pay? */
import {
  type Change,
  durationWords,
  quoteQualified,
  SHIFT_UNKNOWN,
  type Verdict,
} from '../../domain/index.ts';
import { type Compared, compareAll, pairsOf, tooEarly } from './compare.ts';
import { type Judgement, judgement, type VerifyInput } from './judgement.ts';
import { hotRatio } from './measures.ts';
import { mentionsTable } from './mentions.ts';
import { leastScans, scansOf } from './scan-evidence.ts';
import { globalShift, MIN_CALLS, type Pair } from './shift.ts';

/** A write that lost less than this by each call is not worth a word, ms. */
export const MIN_WRITE_LOSS_MS = 0.05;
/** Characters of a statement by which it is named. */
const NAME_LENGTH = 50;
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
  const scans = scansOf(built, after);
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
  // What got faster without reading it got so for another reason.
  const through = faster.filter((item) => scans >= leastScans(item));
  if (through.length > 0) {
    const reason = `${through.length} of ${affectedIds.size} statement(s) got faster (${mostWon(through)}), and ${name} was scanned ${scans} time(s).${shiftNote(shift.controls)}${writeCost([...slowerWrites, ...fadingWrites])}`;
    return judgement('succeeded', reason, false, found);
  }
  if (faster.length > 0) {
    const least = Math.ceil(Math.min(...faster.map(leastScans)));
    const reason = `${faster.length} statement(s) got faster, but ${name} was scanned ${scans} time(s) only: what they won takes ${least} at least, so that something else is why.`;
    return judgement('inconclusive', reason, true, found);
  }
  if (affected.length === 0) return tooFewCalls(input, scans, name, found);
  return judgement(
    'inconclusive',
    `${nothingWon(affected)}; ${name} was scanned ${scans} time(s).${shiftNote(shift.controls)}${cost}`,
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

/** That nothing got faster is known only where a gain of a tenth can be ruled out. */
function nothingWon(affected: readonly Compared[]): string {
  return affected.some((item) => item.undecided)
    ? `None of ${affected.length} statement(s) changed by a tenth or more beyond doubt`
    : `None of ${affected.length} statement(s) got faster by a tenth, which can be ruled out at 99 %: nothing shows that it is worth its writes and its disk space`;
}

/** Of those that got faster the one that won most time in the window after, by a call before and after. */
function mostWon(faster: readonly Compared[]): string {
  const most = faster.reduce((a, b) => (won([a]) >= won([b]) ? a : b));
  const { mean_ms_before, mean_ms_after, query } = most.measured;
  const text = query.replace(/\s+/g, ' ').trim();
  const short = text.length <= NAME_LENGTH ? text : `${text.slice(0, NAME_LENGTH - 1)}…`;
  return `${faster.length > 1 ? 'the most ' : ''}${short}: ${durationWords(mean_ms_before)} a call before, ${durationWords(mean_ms_after)} after`;
}

function writeCost(writes: readonly Compared[]): string {
  if (writes.length === 0) return '';
  const worst = writes.reduce((a, b) => (a.gain_ms < b.gain_ms ? a : b));
  return ` ${writes.length} write statement(s) on the table got slower, the worst by ${(-worst.gain_ms).toFixed(3)} ms a call.`;
}

function shiftNote(controls: number): string {
  return controls > 0 ? '' : ` ${SHIFT_UNKNOWN}`;
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
    {
      name: 'idx_scan of the new index',
      before: null,
      after: scans,
      unit: 'scans',
      source: 'pg_stat_user_indexes.idx_scan',
    },
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
