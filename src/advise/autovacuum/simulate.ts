/**
 * Autovacuum replayed: tables that change at the rates that were observed, workers that come each naptime, the order
 * and the triggers of the target's version, the cost limit that busy workers share. Pure: the same input gives the
 * same days. From event to event, so that weeks take moments.
 */
import { dueOf, Replayed } from './replayed-table.ts';
import type { SimulationInput, SimulationOutcome } from './simulated.ts';
import { unitsPerSecond, type Work } from './work.ts';

const MOST_EVENTS = 4_000;
const DAY = 86_400;

interface Worker {
  /** Tables that it found due, still to come. */
  list: number[];
  at: { table: number; kind: 'vacuum' | 'analyze'; units_left: number; work: Work; began: number } | null;
}

export function simulate({ tables, server, xids_per_second, days }: SimulationInput): SimulationOutcome {
  const states = tables.map((table) => new Replayed(table, xids_per_second, server.version));
  const workers: Worker[] = [];
  const end = days * DAY;
  let [now, events, busy, units, rounds, starved] = [0, 0, 0, 0, 0, 0];

  const taken = () => new Set(workers.flatMap(({ at }) => (at ? [at.table] : [])));
  const isShared = (worker: Worker) => {
    const own = worker.at && tables[worker.at.table]?.parameters;
    return !!own && own.own_cost_limit === null && own.own_cost_delay_ms === null;
  };
  /** Equal parts of the shared limit (exactly so from 16 on); who has limits of its own keeps them whole. */
  const speedOf = (worker: Worker): number => {
    const own = worker.at && tables[worker.at.table]?.parameters;
    const limit = own?.own_cost_limit ?? server.cost.limit;
    const delay_ms = own?.own_cost_delay_ms ?? server.cost.delay_ms;
    const parts = isShared(worker) ? workers.filter(isShared).length : 1;
    return unitsPerSecond({ limit: Math.max(1, limit / parts), delay_ms });
  };
  /** The next table of its list that still asks for it; false: it is done. */
  const takeNext = (worker: Worker): boolean => {
    worker.at = null;
    for (let table = worker.list.shift(); table !== undefined; table = worker.list.shift()) {
      const state = states[table];
      if (!state || taken().has(table)) continue;
      const kind = dueOf(state, now);
      if (kind === null) continue;
      const work = state.begin(kind, now, server);
      worker.at = { table, kind, units_left: work.units, work, began: now };
      if (isShared(worker)) units += work.units;
      return true;
    }
    return false;
  };
  const finish = (worker: Worker) => {
    const { at } = worker;
    if (!at) return;
    states[at.table]?.finish(at.kind, at.began, now, at.work);
    // A vacuum that is done leaves its analyze, if that is due as well, to the same visit.
    if (at.kind === 'vacuum' && states[at.table]?.analyzeDue(now)) worker.list.unshift(at.table);
    if (!takeNext(worker)) workers.splice(workers.indexOf(worker), 1);
  };
  const advance = (to: number) => {
    for (;;) {
      const ends = workers.map((worker) => now + (worker.at?.units_left ?? 0) / speedOf(worker));
      const first = Math.min(to, ...ends);
      const speeds = workers.map(speedOf);
      for (const [index, worker] of workers.entries()) {
        if (worker.at && Number.isFinite(speeds[index])) {
          worker.at.units_left -= (speeds[index] ?? 0) * (first - now);
        }
      }
      busy += workers.length * (first - now);
      now = first;
      const ended = workers[ends.indexOf(first)];
      if (!ended || (ends[ends.indexOf(first)] ?? to) > to) break;
      events += 1;
      finish(ended);
      if (events > MOST_EVENTS) break;
    }
  };

  while (now < end && events <= MOST_EVENTS) {
    // The next round at which anything is due; rounds go by unseen while nothing is.
    const waiting = taken();
    const soonest = Math.min(
      ...states.map((state, index) =>
        waiting.has(index) ? Number.POSITIVE_INFINITY : Math.max(now, state.dueAt()),
      ),
    );
    const round = Math.floor(now / server.naptime_seconds) + 1;
    const dueRound = Number.isFinite(soonest) ? Math.ceil(soonest / server.naptime_seconds) : round;
    const next =
      workers.length > 0 && !Number.isFinite(soonest)
        ? round
        : Math.max(round, Number.isFinite(soonest) ? dueRound : Math.ceil(end / server.naptime_seconds));
    advance(Math.min(end, next * server.naptime_seconds));
    if (now >= end) break;
    events += 1;
    const busyTables = taken();
    const list = states.flatMap((state, index) =>
      !busyTables.has(index) && dueOf(state, now) !== null ? [index] : [],
    );
    if (list.length === 0) continue;
    rounds += 1;
    for (const index of list) states[index]?.noteDue(now);
    if (workers.length >= server.workers) {
      starved += 1;
      continue;
    }
    const worker: Worker = { list, at: null };
    workers.push(worker);
    if (!takeNext(worker)) workers.splice(workers.indexOf(worker), 1);
  }

  const length = Math.max(now, 1);
  return {
    days: length / DAY,
    tables: states.map((state) => state.outcome(length)),
    busy_share: busy / (length * Math.max(1, server.workers)),
    units_a_day: (units * DAY) / length,
    starved_share: rounds > 0 ? starved / rounds : 0,
  };
}
