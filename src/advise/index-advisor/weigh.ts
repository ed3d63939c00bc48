/** From candidates to contenders: the planner is asked about each where it could matter. */
import { bytesWords, costShareWords, type Rejection, type RuleContext } from '../../domain/index.ts';
import { tableOf } from './candidates/candidate.ts';
import { askAboutComplements } from './complements.ts';
import { LATE, type Made } from './make-candidates.ts';
import { type OutOfReach, outOfReach } from './out-of-reach.ts';
import type { Contender } from './selection.ts';
import type { AdvisorStatement } from './statement.ts';
import {
  askAboutAll,
  askAboutEach,
  askAboutOthers,
  askAboutShareable,
  isNoticeable,
  isTimeForAll,
  MANY_PAIRS,
  NEGLIGIBLE,
  pairsOf,
  registerCandidates,
  type Weighing,
} from './weigh-questions.ts';

/**
 * All of a statement's candidates together show whether it could get cheaper at all; each alone is asked about only for those.
 * What helps none of them, alone or together with others, is no contender. Of large workloads this comes in stages that do
 * not depend on the time there is, with a search after each: more time goes on where less has ended, from the set that was
 * found by then.
 */
export class CandidateWeighing {
  readonly #context: RuleContext;
  readonly #weighing: Weighing;
  /** Handles of those that are contenders. */
  readonly #there = new Set<string>();
  /** Statements that some candidates make cheaper, with calls × what they save at most. */
  #promising: ReadonlyMap<AdvisorStatement, number> = new Map();
  /** The same, with the candidates that they were asked about with. */
  #asked: ReadonlyMap<AdvisorStatement, ReadonlySet<string>> = new Map();
  /** Candidates that some plan needs. */
  #needed = new Set<string>();
  #late: ReadonlySet<AdvisorStatement> = new Set();
  /** Candidates that are not asked about by themselves, or not yet. */
  #unasked: ReadonlySet<string> = new Set();
  /** By candidate, why it is not asked about: it is in no good set within the budget. */
  #outOfReach: ReadonlyMap<string, OutOfReach> = new Map();
  /** By candidate, one no larger that the planner preferred to it. */
  #beaten: ReadonlyMap<string, string> = new Map();
  #isInStages = false;
  /** What is still to come, in this order. */
  readonly #stages: ((context: RuleContext) => Promise<void>)[] = [];

  constructor(context: RuleContext, weighing: Weighing) {
    this.#context = context;
    this.#weighing = weighing;
  }

  /**
   * The first contenders: those that plans with all candidates need, of large workloads with a budget those of plans which
   * fit into it together.
   * @param deadline epoch ms.
   */
  async first(deadline: number): Promise<Contender[]> {
    const context = { ...this.#context, deadline };
    const { made, book, budget_bytes } = this.#weighing;
    let isLarge = context.index_budget_bytes !== null && pairsOf(made) > MANY_PAIRS;
    registerCandidates(made, this.#weighing, isLarge);
    const started = Date.now();
    let together = await askAboutAll(context, this.#weighing, isLarge);
    if (isLarge && (await isTimeForAll(context, this.#weighing, Date.now() - started))) {
      isLarge = false;
      registerCandidates(made, this.#weighing);
      together = await askAboutAll(context, this.#weighing, isLarge);
    }
    this.#promising = together.promising;
    this.#asked = together.asked;
    this.#needed = together.needed;
    this.#late = together.late;
    this.#stages.push(this.#askAboutEach);
    if (isLarge) {
      this.#isInStages = true;
      this.#unasked = new Set(
        made.flatMap(({ contender, by }) =>
          by.some((one) => this.#promising.has(one)) ? [contender.handle] : [],
        ),
      );
      this.#stages.push(this.#askAboutOthers);
      await askAboutShareable(context, this.#weighing, this.#promising, this.#needed);
    } else if (budget_bytes !== null) {
      this.#outOfReach = outOfReach({ made, promising: this.#promising.keys(), book, budget_bytes });
    }
    return this.#contenders();
  }

  /** True: of what is weighed by then the best set is searched before the next stage; else the stages follow each other. */
  get isInStages(): boolean {
    return this.#isInStages;
  }

  /**
   * The next stage.
   * @param deadline epoch ms.
   * @returns what became a contender by it; null: all is weighed.
   */
  async more(deadline: number): Promise<Contender[] | null> {
    const next = this.#stages.shift();
    if (!next) return null;
    await next({ ...this.#context, deadline });
    return this.#contenders();
  }

  /** Says of all that became no contender why not. */
  reject(): void {
    const { made, rejections, rule } = this.#weighing;
    for (const one of made) {
      const { handle, candidate, standing } = one.contender;
      if (this.#there.has(handle) || standing === 'committed') continue;
      rejections.push({ rule, candidate: candidate.key, ...this.#whyNot(one), table: tableOf(candidate) });
    }
  }

  #whyNot({ contender: { handle, reserved_bytes }, by }: Made): Pick<Rejection, 'code' | 'reason'> {
    const out = this.#outOfReach.get(handle);
    if (out) {
      const shareOf = (cost: number) => costShareWords(cost / this.#weighing.base);
      const reason = `its ${bytesWords(reserved_bytes)} would keep too much out of the budget: indexes with it among them save ${shareOf(out.most)} of the workload's cost at most, others ${shareOf(out.reached)} at least`;
      return { code: 'out_of_reach', reason };
    }
    if (this.#unasked.has(handle) || by.every((one) => this.#late.has(one)))
      return { code: 'deadline', reason: LATE };
    return { code: 'no_gain', reason: 'no statement that it was made for gets noticeably cheaper with it' };
  }

  readonly #askAboutEach = async (context: RuleContext): Promise<void> => {
    const { book } = this.#weighing;
    const made = this.#weighing.made.filter(({ contender }) => !this.#outOfReach.has(contender.handle));
    const weighing = { ...this.#weighing, made };
    const { unasked, beaten } = await askAboutEach(context, weighing, this.#promising);
    this.#unasked = unasked;
    this.#beaten = beaten;
    const complements = await askAboutComplements({
      made,
      book,
      asked: this.#asked,
      isGain: this.#isGain,
      deadline: context.deadline,
    });
    for (const handle of complements) this.#needed.add(handle);
  };

  readonly #isGain = (gain: number, before: number, { query }: AdvisorStatement): boolean =>
    isNoticeable(gain, before) && gain * query.calls > NEGLIGIBLE * this.#weighing.base;

  readonly #askAboutOthers = (context: RuleContext): Promise<void> =>
    askAboutOthers(context, this.#weighing, this.#promising, this.#needed);

  /** What helps by what is known now and was no contender before. */
  #contenders(): Contender[] {
    const { made, book } = this.#weighing;
    const keys = new Map(made.map(({ contender: { handle, candidate } }) => [handle, candidate.key]));
    const more: Contender[] = [];
    for (const { contender, by } of made) {
      const { handle } = contender;
      const set = new Set([handle]);
      // What one no larger was preferred to may still be the better one beside others.
      const preferred = this.#beaten.get(handle);
      contender.beaten_by = preferred === undefined ? undefined : keys.get(preferred);
      contender.alone = 0;
      let helps = this.#needed.has(handle) || preferred !== undefined;
      for (const statement of by) {
        const before = book.known(statement, book.present)?.cost ?? 0;
        const gain = before - (book.known(statement, set)?.cost ?? before);
        if (gain > 0) contender.alone += gain * statement.query.calls;
        if (this.#isGain(gain, before, statement)) helps = true;
      }
      // What is decided on is a contender whether or not it helps this night.
      if (contender.standing === 'committed') helps = true;
      if (!helps || this.#there.has(handle)) continue;
      this.#there.add(handle);
      more.push(contender);
    }
    return more;
  }
}
