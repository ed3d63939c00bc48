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

export class Pace {
  /** Milliseconds that a question takes; null: none was asked yet. */
  #each: number | null = null;

  /** Writes down what some of them took. */
  note(questions: number, milliseconds: number): void {
    if (questions === 0) return;
    const each = milliseconds / questions;
    this.#each = this.#each === null ? each : NEWEST * each + (1 - NEWEST) * this.#each;
  }

  /** @param deadline epoch ms; infinity: there is no need to look at the clock. */
  atOnce(deadline: number): number {
    if (!Number.isFinite(deadline)) return MOST;
    // What is asked first says how long the others take.
    if (this.#each === null) return FEWEST;
    const some = Math.floor((OF_TIME_LEFT * (deadline - Date.now())) / Math.max(this.#each, 1e-3));
    return Math.min(MOST, Math.max(FEWEST, some));
  }
}
