/**
 * How many questions to ask between two looks at the clock. A plan takes a tenth of a millisecond or, of a join of many
 * tables with many indexes on each, a tenth of a second: a fixed number is a blink of one workload and half the time of
 * another.
 */

/** At most: more at once save nothing, and hold back what answers tell of the next ones. */
const MOST = 96;
/** At least: fewer leave sessions without work. */
const FEWEST = 8;
/** Share of the time left that the questions between two looks may take, by what the last ones took. */
const OF_TIME_LEFT = 0.5;
/** Weight of the last questions' time against that of all before. */
const NEWEST = 0.5;
/** What a question is taken to take as long as nothing is known, in ms: a join of ten tables with many indexes on each. */
const UNKNOWN = 150;

export class Pace {
  /** Milliseconds that a question takes; null: none was asked yet. */
  #each: number | null = null;

  /** The next questions are of another kind: with all candidates there one takes ten times as long as with none. */
  forget(): void {
    this.#each = null;
  }

  /** Writes down what some of them took. */
  note(questions: number, milliseconds: number): void {
    if (questions === 0) return;
    const each = milliseconds / questions;
    this.#each = this.#each === null ? each : NEWEST * each + (1 - NEWEST) * this.#each;
  }

  /** @param deadline epoch ms; infinity: there is no need to look at the clock. */
  atOnce(deadline: number): number {
    if (!Number.isFinite(deadline)) return MOST;
    const each = Math.max(this.#each ?? UNKNOWN, 1e-3);
    const some = Math.floor((OF_TIME_LEFT * (deadline - Date.now())) / each);
    return Math.min(MOST, Math.max(FEWEST, some));
  }
}
