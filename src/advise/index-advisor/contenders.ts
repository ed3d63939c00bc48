/** The indexes of one run: contenders that the statements asked for, those made out of good sets, and what they replace. */
import type { RuleContext, WhatIf } from '../../domain/index.ts';
import type { Candidate } from './candidates.ts';
import { keyOfDrop } from './drop.ts';
import { indexesThatMayLeave, type Leaving } from './leaving.ts';
import { CandidateMaker } from './make-candidates.ts';
import { mergedCandidates, shortenedCandidates, withIncludedAsKeys } from './merge.ts';
import type { PlanBook } from './search/plan-book.ts';
import type { Contender, SelectionInput } from './selection.ts';
import { candidatesOfBefore, keyOfIndex, markStanding, standingByKey, withoutDismissed } from './standing.ts';
import type { AdvisorStatement } from './statement.ts';
import { CandidateWeighing } from './weigh.ts';
import { registerCandidates, type Weighing } from './weigh-questions.ts';

/** Of the time until the deadline: when making candidates ends, and asking about each; the rest is for the search. */
const TIME_TO_MAKE = 0.3;
const TIME_TO_WEIGH = 0.5;
/** Candidates that are made out of one set at most. */
const MAX_DERIVED = 300;
/** Contenders of a table beside the members that they are merged with. */
const NEARLY_JOINED = 4;

export interface IndexesOfRun extends Pick<SelectionInput, 'in_stages' | 'widen' | 'weighMore'> {
  contenders: Contender[];
  leaving: Leaving[];
  indexesOn: SelectionInput['indexes_on'];
  /** Handles of the candidates that statements asked for: all that were asked about together. */
  asked(): string[];
  /** Says of the candidates that became no contenders why not; once, after the search. */
  rejectOthers(): void;
}

/** Makes and weighs the candidates. */
export async function openRun(
  context: RuleContext,
  whatIf: WhatIf,
  run: Omit<Weighing, 'maker' | 'made'>,
): Promise<IndexesOfRun> {
  const { statements, book } = run;
  const standing = standingByKey(context, run.rule);
  const isStanding = ({ key }: Candidate) => standing.has(keyOfIndex(key));
  const maker = new CandidateMaker(context, whatIf, statements, { ...run, isStanding });
  const started = Date.now();
  const share = (of: number) => started + of * Math.max(0, context.deadline - started);
  const dearest = statements.toSorted((a, b) => costNow(b, book) - costNow(a, book));
  const all = await maker.fromStatements(dearest, share(TIME_TO_MAKE));
  all.push(...(await maker.more(candidatesOfBefore(standing, maker, { ...run, made: all }))));
  markStanding(all, standing);
  const made = await withoutDismissed(all, standing, { ...run, maker });
  const weighing = new CandidateWeighing(context, { ...run, statements: dearest, maker, made });
  const contenders = await weighing.first(share(TIME_TO_WEIGH));
  const handles = made.map(({ contender }) => contender.handle);
  const letLeave = (among: readonly Contender[]): Leaving[] => {
    const found = indexesThatMayLeave(context.snapshot, among, maker, book.present);
    const leaving = found.filter((one) => !standing.get(keyOfDrop(one.index))?.dismissal);
    for (const one of leaving) if (standing.has(keyOfDrop(one.index))) one.standing = true;
    for (const one of leaving) book.letLeave(one, maker.touching(one.table_oid));
    return leaving;
  };
  return {
    contenders,
    leaving: letLeave(contenders),
    indexesOn: (oid) => maker.catalog.tables.get(oid)?.indexes.length ?? 0,
    asked: () => handles,
    rejectOthers: () => weighing.reject(),
    in_stages: weighing.isInStages,
    weighMore: async (deadline) => {
      const now = Date.now();
      const more = await weighing.more(now + TIME_TO_WEIGH * Math.max(0, deadline - now));
      return more && { contenders: more, leaving: letLeave(more) };
    },
    widen: async (chosen) => {
      const wanted = derivedFrom(chosen, contenders, maker);
      const derived = await maker.more(wanted);
      const parents = new Map(wanted.toReversed().map((one) => [one.candidate.key, one.merged_of]));
      for (const { contender } of derived) contender.merged_of = parents.get(contender.candidate.key) ?? [];
      registerCandidates(derived, { maker, book });
      const more = derived.map(({ contender }) => contender);
      return { contenders: more, leaving: letLeave(more) };
    },
  };
}

interface Derived {
  candidate: Candidate;
  by: AdvisorStatement[];
  /** Handles of those that it is made out of. */
  merged_of: string[];
}

/**
 * Members shortened, and merged with each other and with those of their table that nearly joined: a budget keeps the
 * second out before it could be merged with the first.
 */
function derivedFrom(
  chosen: readonly Contender[],
  contenders: readonly Contender[],
  maker: CandidateMaker,
): Derived[] {
  const byTable = new Map<number, Contender[]>();
  // Of many tables, those whose indexes save the most come first.
  const dearest = chosen.toSorted((a, b) => b.alone - a.alone);
  for (const one of dearest) byTable.set(one.table_oid, [...(byTable.get(one.table_oid) ?? []), one]);
  const derived: Derived[] = [];
  for (const [oid, members] of byTable) {
    if (derived.length >= MAX_DERIVED) break;
    const by = [...maker.touching(oid)];
    const others = contenders
      .filter((one) => one.table_oid === oid && !members.includes(one))
      .sort((a, b) => perByte(b) - perByte(a))
      .slice(0, NEARLY_JOINED);
    for (const [position, member] of members.entries()) {
      const of = (candidate: Candidate, ...merged: Contender[]) =>
        derived.push({ candidate, by, merged_of: merged.map(({ handle }) => handle) });
      for (const one of [member, ...others]) {
        const keyed = withIncludedAsKeys(one.candidate);
        if (keyed) of(keyed, one);
      }
      for (const candidate of shortenedCandidates(member.candidate)) of(candidate, member);
      for (const other of [...members.slice(position + 1), ...others]) {
        for (const candidate of mergedCandidates(member.candidate, other.candidate))
          of(candidate, member, other);
      }
    }
  }
  return derived.slice(0, MAX_DERIVED);
}

/** Calls × cost as it is now. */
const costNow = (statement: AdvisorStatement, book: PlanBook) =>
  (book.known(statement, book.present)?.cost ?? 0) * statement.query.calls;

const perByte = ({ alone, size_bytes }: Contender) => alone / Math.sqrt(Math.max(1, size_bytes));
