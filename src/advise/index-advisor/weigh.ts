/** From candidates to contenders: the planner is asked about each where it could matter. */
import type { RuleContext } from '../../domain/index.ts';
import { tableOf } from './candidates/candidate.ts';
import { askAboutComplements } from './complements.ts';
import { LATE } from './make-candidates.ts';
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
  /** By candidate, one no larger that the planner preferred to it. */
  #beaten: ReadonlyMap<string, string> = new Map();
  /** What is still to come, in this order. */
  readonly #stages: ((context: RuleContext) => Promise<void>)[] = [];

  constructor(context: RuleContext, weighing: Weighing) {
    this.#context = context;
    this.#weighing = weighing;
  }

  /**
   * The first contenders: of large workloads those that plans need which fit into a budget together, else all.
   * @param deadline epoch ms.
   */
  async first(deadline: number): Promise<Contender[]> {
    const context = { ...this.#context, deadline };
    const { made } = this.#weighing;
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
    if (isLarge) {
      this.#unasked = new Set(
        made.flatMap(({ contender, by }) =>
          by.some((one) => this.#promising.has(one)) ? [contender.handle] : [],
        ),
      );
      this.#stages.push(this.#askAboutEach, this.#askAboutOthers);
      await askAboutShareable(context, this.#weighing, this.#promising, this.#needed);
    } else await this.#askAboutEach(context);
    return this.#contenders();
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
    for (const { contender, by } of made) {
      if (this.#there.has(contender.handle) || contender.standing === 'committed') continue;
      const isUnasked = this.#unasked.has(contender.handle) || by.every((one) => this.#late.has(one));
      const [code, reason] = isUnasked
        ? ['deadline', LATE]
        : ['no_gain', 'no statement that it was made for gets noticeably cheaper with it'];
      const { candidate } = contender;
      rejections.push({ rule, candidate: candidate.key, code, reason, table: tableOf(candidate) });
    }
  }

  readonly #askAboutEach = async (context: RuleContext): Promise<void> => {
    const { unasked, beaten } = await askAboutEach(context, this.#weighing, this.#promising);
    this.#unasked = unasked;
    this.#beaten = beaten;
    const { made, book } = this.#weighing;
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
