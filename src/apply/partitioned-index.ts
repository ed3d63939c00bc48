/**
 * An index on a partitioned table: made on the table alone, built concurrently leaf by leaf, attached one by one; with
 * the last one the whole becomes valid. What is there already is left out, so that an apply which was interrupted goes
 * on where it stopped.
 */
import { type ApplyOutcome, quoteQualified, WINDOW_CLOSED } from '../domain/index.ts';
import { TargetQueryError } from '../target/index.ts';
import { journalledBuild, wasSeen } from './build-witness.ts';
import { canonicalForm, findIndex, sameForm, withSearchPathOf } from './index-facts.ts';
import { leafSeconds } from './leaf-seconds.ts';
import { lockBudgets } from './lock-budgets.ts';
import {
  type Matches,
  type Member,
  matchesByText,
  missingSteps,
  type PartitionedCreate,
  refreshed,
  type TreeStep,
  treeState,
} from './partitioned-tree.ts';
import { dropIndexStatement } from './plan.ts';
import { withShortLock } from './reloptions.ts';
import { type ApplyRun, applied, type Facts, failed, needsAttention, reasonOf, setTimeouts } from './run.ts';
import { tidying } from './statement.ts';
import { isAbort, stopReason } from './stopped.ts';
import { cleanUp, isBeingBuilt } from './transient-indexes.ts';

interface Reason {
  code: string;
  message: string;
}

export async function createPartitionedIndex(
  run: ApplyRun,
  change: PartitionedCreate,
): Promise<ApplyOutcome> {
  const matches = await exactMatches(run, change);
  const begun = performance.now();
  const before = await treeState(run.session, change, matches);
  const reused = before.filter(({ index, member }) => index && member.parent !== null);
  const total = before.filter(({ member }) => member.leaf).length;
  const seconds = await leafSeconds(run.session, change, run.expectedSeconds);
  let built = before.filter(({ index, member }) => member.leaf && index).length;
  let states = before;
  const done = new Set<string>();
  for (;;) {
    const [next] = missingSteps(states);
    if (!next) {
      // The whole is asked again at the end alone: a tree may have thousands of members.
      states = await treeState(run.session, change, matches);
      if (missingSteps(states).length === 0) break;
      continue;
    }
    // Before each its own table: an equal index may have come meanwhile.
    states = await refreshed(run.session, states, next.member, matches);
    const [step] = missingSteps(states);
    if (step?.sql !== next.sql) continue;
    if (done.has(step.sql)) {
      // It ran, and by what was read since it is still missing: perhaps the table above has another index now.
      states = await treeState(run.session, change, matches);
      if (missingSteps(states)[0]?.sql !== step.sql) continue;
      const message = `${step.sql} ran, and its effect is gone: somebody else changes these indexes.`;
      return leavePartitioned(run, change, { code: 'step_without_effect', message }, matches);
    }
    if (run.signal.aborted) return leaveStopped(run, change, matches);
    const gone = await goneFromTree(run, change, step.member);
    if (gone !== null) {
      return leavePartitioned(run, change, { code: 'partitions_changed', message: gone }, matches);
    }
    const refused = await sent(step, {
      ...run,
      expectedSeconds: seconds.get(quoteQualified(step.member.schema, step.member.table)) ?? null,
      onProgress: (progress) =>
        run.onProgress({
          ...progress,
          phase: `${phaseOf(step, built, total)}: ${progress.phase}`,
          fraction:
            step.how === 'concurrently' && total > 0
              ? (built + (progress.fraction ?? 0)) / total
              : progress.fraction,
        }),
    });
    if (refused === 'stopped') return leaveStopped(run, change, matches);
    if (refused) {
      const [code, message] = reasonOf(run, refused);
      return leavePartitioned(run, change, { code, message }, matches);
    }
    done.add(step.sql);
    states = await refreshed(run.session, states, step.member, matches);
    if (step.how === 'concurrently') built += 1;
  }
  return finish(run, change, {
    duration_ms: Math.round(performance.now() - begun),
    reused: reused.map(({ index }) => quoteQualified(index?.schema ?? '', index?.name ?? '')),
  });
}

/** Detached or renamed since the last look: hours of building would serve a table that is none of the plan's. */
async function goneFromTree(
  { session }: ApplyRun,
  { index }: PartitionedCreate,
  { schema, table }: Member,
): Promise<string | null> {
  const [top, member] = [quoteQualified(index.schema, index.table), quoteQualified(schema, table)];
  const found = await session.query(
    'SELECT FROM pg_partition_tree(to_regclass($1)) WHERE relid = to_regclass($2)',
    [top, member],
  );
  return found.length > 0 ? null : `${member} is no partition of it any more.`;
}

async function leaveStopped(
  run: ApplyRun,
  change: PartitionedCreate,
  matches: Matches,
): Promise<ApplyOutcome> {
  const [code, message] = stopReason(run.signal);
  return leavePartitioned(run, change, { code, message }, matches);
}

/** `stopped`: the abort came before it was sent, or in a pause between two tries. */
async function sent(step: TreeStep, run: ApplyRun): Promise<TargetQueryError | 'stopped' | null> {
  try {
    return await send(step, run);
  } catch (error) {
    if (run.signal.aborted && isAbort(error)) return 'stopped';
    throw error;
  }
}

/** By PostgreSQL's own normal form where that can be had: of the top's definition, which is every member's. */
async function exactMatches(run: ApplyRun, change: PartitionedCreate): Promise<Matches> {
  const form = await canonicalForm(run.session, change.index);
  return form ? (found) => sameForm(found.form, form) : matchesByText;
}

const phaseOf = ({ how, member }: TreeStep, built: number, total: number) => {
  const table = quoteQualified(member.schema, member.table);
  return how === 'concurrently' ? `leaf ${built + 1} of ${total}, ${table}` : `${how} ${table}`;
};

async function send(step: TreeStep, run: ApplyRun): Promise<TargetQueryError | null> {
  return withSearchPathOf(run.session, step.member.definition, async () => {
    if (step.how !== 'concurrently') {
      return withShortLock(run, 'statement', step.sql, lockBudgets[step.how].lock_timeout_ms);
    }
    await setTimeouts(run.session, {
      lock_timeout: run.lockBudgetMs,
      statement_timeout: run.statementTimeoutMs,
    });
    try {
      await journalledBuild(run, step.sql, step.member, { seconds: run.expectedSeconds });
      return null;
    } catch (error) {
      if (error instanceof TargetQueryError) return error;
      throw error;
    }
  });
}

async function finish(run: ApplyRun, { index }: PartitionedCreate, facts: Facts): Promise<ApplyOutcome> {
  const whole = await findIndex(run.session, index.schema, index.name);
  const name = quoteQualified(index.schema, index.name);
  if (!whole?.is_valid) {
    return needsAttention(
      'index_not_valid',
      `All statements ran, but ${name} is ${whole ? 'invalid: a partition without an index of it came to be meanwhile' : 'not there'}.`,
      facts,
    );
  }
  if (index.keys.some((key) => key.expression !== null)) {
    const table = quoteQualified(index.schema, index.table);
    try {
      const refused = await withShortLock(run, 'analyze', `ANALYZE ${table}`);
      if (refused) facts.analyze_failed = refused.message;
    } catch (error) {
      // The index stands and is in use, whatever stopped its statistics.
      if (!(run.signal.aborted && isAbort(error))) throw error;
      facts.analyze_failed = stopReason(run.signal)[1];
    }
  }
  return applied({ ...facts, index_oid: whole.oid, definition: whole.definition });
}

/**
 * What an interrupted apply leaves: the half-built index of one leaf is dropped; finished leaves stay, for they are
 * worth their hours and the next apply goes on from them. The partitioned index stays invalid until then, which blocks
 * nothing and serves no query; the outcome says how to go on and how to be rid of it.
 */
export async function leavePartitioned(
  given: ApplyRun,
  change: PartitionedCreate,
  reason: Reason,
  known?: Matches,
): Promise<ApplyOutcome> {
  // What is left to do is to tidy up: the signal that stopped the rest does not stop that.
  const run = tidying(given);
  const matches = known ?? (await exactMatches(run, change));
  const stuck: string[] = [];
  const unseen: string[] = [];
  for (const { member, index } of await treeState(run.session, change, matches)) {
    if (!member.leaf || !index || index.is_valid || index.name !== member.name) continue;
    const dropped = await dropHalfBuilt(run, member);
    const name = quoteQualified(member.schema, member.name);
    if (dropped === 'unseen') unseen.push(name);
    else if (!dropped) stuck.push(name);
  }
  const states = await treeState(run.session, change, matches);
  const top = states[0]?.index ?? null;
  const missing = missingSteps(states).length;
  const built = states.filter(({ member, index }) => member.leaf && index?.is_valid);
  const facts: Facts = {
    left: states.flatMap(({ index }) => (index ? [quoteQualified(index.schema, index.name)] : [])),
    leaves_built: built.length,
    statements_missing: missing,
    undo: undo(states),
  };
  if (stuck.length > 0) {
    return needsAttention(
      'leftover_not_removed',
      `${reason.message} Invalid and not dropped, for somebody works on their tables: ${stuck.join(', ')}.`,
      { ...facts, stuck },
    );
  }
  if (unseen.length > 0) {
    return needsAttention(
      'unseen_leftover',
      `${reason.message} Invalid and as the plan has them, but not seen to be made by this apply, so that they may be somebody else's and were left alone: ${unseen.join(', ')}. Drop them with DROP INDEX CONCURRENTLY if they are nobody's.`,
      { ...facts, unseen },
    );
  }
  if (missing === 0) return finish(run, change, { ...facts, note: reason.message });
  if (!top) return failed(reason.code, `${reason.message} Nothing was left behind.`, facts);
  const goesOn =
    reason.code === WINDOW_CLOSED
      ? 'It goes on from there in the next window.'
      : 'Apply it again to go on from there, or undo it.';
  const message = `${reason.message} ${built.length} leaves have their index; ${missing} statement(s) are missing. ${goesOn}`;
  // Interrupted by a crash, or by the window's end: the service goes on by itself. Else a person decides.
  return reason.code === 'interrupted_before_effect' || reason.code === WINDOW_CLOSED
    ? failed(reason.code, message, facts)
    : needsAttention('partly_built', message, { ...facts, because: reason.code });
}

/** With the plan's name, of its form, seen to be made by us, invalid, and nobody building it: our build's of this leaf. */
async function dropHalfBuilt(run: ApplyRun, member: Member): Promise<boolean | 'unseen'> {
  const left = await findIndex(run.session, member.schema, member.name);
  if (!left || left.is_valid) return true;
  if (!(await wasSeen(run, left.oid))) return 'unseen';
  if (await isBeingBuilt(run.session, left.table_oid)) return false;
  run.onProgress({ phase: 'removing the unfinished index', fraction: null, blockers: [] });
  await setTimeouts(run.session, {
    lock_timeout: Math.min(run.lockBudgetMs, lockBudgets.clean_up.lock_timeout_ms),
    statement_timeout: run.statementTimeoutMs,
  });
  return cleanUp(run, dropIndexStatement(member.schema, member.name));
}

/** The top first: it takes what is attached with it. */
function undo(states: Awaited<ReturnType<typeof treeState>>): string[] {
  return states.flatMap(({ member, index, attached }) => {
    if (!index || attached || index.name !== member.name) return [];
    const name = quoteQualified(index.schema, index.name);
    return [member.leaf ? `DROP INDEX CONCURRENTLY ${name}` : `DROP INDEX ${name}`];
  });
}
