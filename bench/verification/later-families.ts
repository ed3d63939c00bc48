/** Families written before losses had to begin with the change and to last, and only counted: see families.ts. */
import { between, normal, scaled, whole } from './chance.ts';
import type { Family } from './families.ts';
import { HOUR, LAST_S, type SimulatedStatement, type Step } from './server.ts';

const DAY_S = 24 * HOUR;

/** Log of the work rises by `height` over each period and falls back: rows that die until somebody vacuums. */
function sawtooth(height: number, period: number, start: number): Step[] {
  const steps: Step[] = [];
  const stairs = 8;
  for (let from = start; from < LAST_S; from += period) {
    for (let stair = 1; stair < stairs; stair += 1) {
      steps.push({
        at: from + (stair * period) / stairs,
        until: from + period,
        factor: Math.exp(height / stairs),
      });
    }
  }
  return steps;
}

/** Log of the work rises by `perDay` from `start` on, in hourly stairs. */
function slope(perDay: number, start: number): Step[] {
  const steps: Step[] = [];
  for (let at = start; at < LAST_S; at += HOUR) steps.push({ at, factor: Math.exp(perDay / 24) });
  return steps;
}

/** Only three others, of which none tells what the server does: plans, parameters and waits of their own. */
const threeOthers =
  (isControl: (one: SimulatedStatement) => boolean): Family['shape'] =>
  (server, draw) => {
    const others = server.statements.filter(isControl).slice(0, 3);
    server.statements = server.statements.filter((one) => !isControl(one) || others.includes(one));
    for (const one of others) {
      one.own = { deviation: between(draw, 0.1, 0.6), hours: scaled(draw, 0.5, 24) };
      one.time_steps.push({ at: between(draw, -2 * HOUR, HOUR), factor: Math.exp(0.5 * normal(draw)) });
      if (draw() < 0.5) one.work_steps.push({ at: 0, factor: Math.exp(0.5 * normal(draw)) });
    }
  };

/** By what work tells and few controls do not: written with the test that takes both, after the others. */
export const fewControls = (
  isTreated: (one: SimulatedStatement) => boolean,
  isControl: (one: SimulatedStatement) => boolean,
) => {
  const three = threeOthers(isControl);
  return {
    'three odd others': three,
    'three odd others and other parameters': (server, draw) => {
      three(server, draw);
      for (const one of server.statements.filter(isTreated)) {
        one.work = { deviation: between(draw, 0.05, 0.5), hours: scaled(draw, 0.3, 24) };
        if (draw() < 0.5) one.work_cycle = { amplitude: between(draw, 0, 0.4), phase: 2 * Math.PI * draw() };
      }
      if (draw() < 0.5) server.history_hours = scaled(draw, 0.5, 6);
    },
    'three odd others and a deploy': (server, draw) => {
      three(server, draw);
      const at = between(draw, -24 * HOUR, LAST_S);
      for (const one of server.statements.filter(isTreated)) {
        if (draw() < 0.5) one.work_steps.push({ at, factor: Math.exp(0.3 * normal(draw)) });
      }
    },
    'three odd others and caches that warm up': (server, draw) => {
      three(server, draw);
      for (const one of server.statements.filter(isTreated)) {
        one.time_steps.push({
          at: 0,
          factor: Math.exp(between(draw, 0, 2)),
          fades: scaled(draw, 60, 4 * HOUR),
        });
      }
    },
  } satisfies Record<string, Family['shape']>;
};

export const laterShapes = {
  'dead rows pile up between vacuums': (server, draw) => {
    const period = scaled(draw, 2, 36) * HOUR;
    const start = -2 * DAY_S - draw() * period;
    for (const one of server.statements) {
      if (draw() < 0.6) one.work_steps.push(...sawtooth(between(draw, 0, 0.35), period, start));
    }
  },
  'data loaded each night': (server, draw) => {
    const hour = between(draw, 0, DAY_S);
    for (const one of server.statements) {
      if (draw() < 0.4) continue;
      const factor = Math.exp(between(draw, 0, 0.08));
      for (let at = hour - 2 * DAY_S; at < LAST_S; at += DAY_S) one.work_steps.push({ at, factor });
    }
  },
  'growth that slows after what is new': (server, draw) => {
    const at = -between(draw, 1, 24) * HOUR;
    const fades = scaled(draw, 3, 30) * HOUR;
    for (const one of server.statements) {
      if (draw() < 0.5) continue;
      const factor = Math.exp(between(draw, 0, 0.5));
      // 1 − exp(−t/τ) of a logarithm: all of it at once, less what fades.
      one.work_steps.push({ at, factor }, { at, factor: 1 / factor, fades });
    }
  },
  'warmer by the hour and busier': (server, draw) => {
    const fades = scaled(draw, 600, 8 * HOUR);
    server.common_cycle = { amplitude: between(draw, 0, 0.3), phase: 2 * Math.PI * draw() };
    for (const one of server.statements) {
      const some = whole(draw, 0, 2) > 0;
      if (some) one.time_steps.push({ at: 0, factor: Math.exp(between(draw, 0, 0.6)), fades });
    }
  },
} satisfies Record<string, Family['shape']>;

/** Written after the method was done, by somebody else, and only counted; isTreated is handed in: families.ts has it. */
export const unseenShapes = (isTreated: (one: SimulatedStatement) => boolean) =>
  ({
    // Some of them within the day before: the slope is known from a part of it only.
    'growth that began up to a week before': (server, draw) => {
      const start = -between(draw, 0, 7 * DAY_S);
      const growing = draw() < 0.5 ? isTreated : () => draw() < 0.6;
      for (const one of server.statements) {
        if (growing(one)) one.work_steps.push(...slope(between(draw, 0, 0.35), start));
      }
    },
    // Controls feel nothing; what is hot is warm in minutes, the rest in hours.
    'the table alone warms up for hours': (server, draw) => {
      const [fast, slow] = [scaled(draw, 60, 1_800), scaled(draw, 0.5, 12) * HOUR];
      for (const one of server.statements) {
        if (!isTreated(one)) continue;
        one.time_steps.push(
          { at: 0, factor: Math.exp(between(draw, 0, 0.7)), fades: fast },
          { at: 0, factor: Math.exp(between(draw, 0, 0.5)), fades: slow },
        );
      }
    },
  }) satisfies Record<string, Family['shape']>;
