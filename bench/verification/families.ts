/**
 * Families of servers: each draw has parameters of its own, and no change in it has an effect unless one is given.
 * `looked_at` are those by which the method was made; the others (later-families.ts) were only counted.
 */
import { between, type Draw, normal, scaled, whole } from './chance.ts';
import { fewControls, laterShapes, unseenShapes } from './later-families.ts';
import {
  type Cycle,
  type Drift,
  HOUR,
  isTreated,
  LAST_S,
  type SimulatedServer,
  type SimulatedStatement,
} from './server.ts';

export interface Family {
  name: string;
  looked_at: boolean;
  shape: (server: SimulatedServer, draw: Draw) => void;
}

const still: Drift = { deviation: 0, hours: 1 };
const flat: Cycle = { amplitude: 0, phase: 0 };

const isControl = ({ id }: SimulatedStatement): boolean => id.startsWith('c');

const drift = (draw: Draw, most: number): Drift => ({
  deviation: between(draw, 0, most),
  hours: scaled(draw, 0.2, 12),
});
const cycle = (draw: Draw, least: number, most: number): Cycle => ({
  amplitude: between(draw, least, most),
  phase: 2 * Math.PI * draw(),
});

function statement(draw: Draw, id: string, query: string): SimulatedStatement {
  return {
    id,
    query,
    rate: scaled(draw, 20, 5_000),
    rate_cycle: flat,
    mean_ms: scaled(draw, 0.5, 200),
    // In steps, so that draws share their pools.
    calls: { sigma: whole(draw, 3, 12) / 10 },
    sensitivity: 1,
    own: drift(draw, 0.08),
    own_cycle: flat,
    work: still,
    work_cycle: flat,
    growth: 0,
    effect: 1,
    time_steps: [],
    work_steps: [],
    shares: null,
  };
}

/** Some statements of the table, one that writes it in half of the draws, some of other tables; load that drifts. */
function plain(draw: Draw): SimulatedServer {
  const of = (count: number, id: string, query: (number: number) => string) =>
    Array.from({ length: count }, (_, number) => statement(draw, `${id}${number}`, query(number)));
  return {
    statements: [
      ...of(whole(draw, 1, 3), 'q', (n) => `select * from orders where a = $1 and b${n} = $2`),
      ...of(whole(draw, 0, 1), 'w', () => 'insert into orders values ($1)'),
      ...of(whole(draw, 3, 12), 'c', (n) => `select * from other${n} where id = $1`),
    ],
    common: drift(draw, 0.2),
    common_cycle: flat,
    common_steps: [],
    shared: still,
    history_hours: 24,
    gaps: [],
    resets: [],
    evictions: [],
    clock_steps: [],
  };
}

/** Any time that a snapshot looks at. */
const someTime = (draw: Draw) => between(draw, -24 * HOUR, LAST_S);

const shapes = {
  plain: () => {},
  'load by the day': (server, draw) => {
    server.common_cycle = cycle(draw, 0.1, 0.5);
    for (const one of server.statements) {
      one.sensitivity = Math.max(0, 1 + 0.3 * normal(draw));
      one.rate_cycle = { ...server.common_cycle, amplitude: between(draw, 0, 1) };
    }
  },
  'each its own day': (server, draw) => {
    for (const one of server.statements) {
      one.own_cycle = cycle(draw, 0, 0.4);
      one.rate_cycle = cycle(draw, 0, 1);
    }
  },
  'heavy tails': (server, draw) => {
    for (const one of server.statements) one.calls = { sigma: whole(draw, 15, 25) / 10 };
  },
  'few calls': (server, draw) => {
    for (const one of server.statements) {
      if (isTreated(one)) one.rate = scaled(draw, 1, 20);
      one.calls = { sigma: whole(draw, 5, 20) / 10 };
    }
  },
  'a deploy at some time': (server, draw) => {
    const at = someTime(draw);
    for (const one of server.statements) {
      if (draw() < 0.5) one.work_steps.push({ at, factor: Math.exp(0.3 * normal(draw)) });
    }
  },
  'load that others do not feel': (server, draw) => {
    server.common = { deviation: between(draw, 0.1, 0.4), hours: scaled(draw, 0.5, 24) };
    server.common_cycle = cycle(draw, 0, 0.3);
    const spared = draw() < 0.5 ? isTreated : isControl;
    for (const one of server.statements) if (spared(one)) one.sensitivity = 0;
  },
  bursts: (server, draw) => {
    for (let at = -24 * HOUR; at < LAST_S; at += scaled(draw, 1, 20) * HOUR) {
      const step = { at, until: at + scaled(draw, 0.05, 2) * HOUR, factor: scaled(draw, 1.3, 4) };
      if (draw() < 0.5) server.common_steps.push(step);
      else for (const one of server.statements) if (draw() < 0.3) one.time_steps.push(step);
    }
  },
  'controls change for themselves': (server, draw) => {
    const at = between(draw, -2 * HOUR, 12 * HOUR);
    const factor = Math.exp((draw() < 0.5 ? 1 : -1) * between(draw, 0.1, 0.6));
    for (const one of server.statements) if (isControl(one)) one.time_steps.push({ at, factor });
  },
  'missing intervals': (server, draw) => {
    for (let count = whole(draw, 1, 4); count > 0; count -= 1) {
      const from = someTime(draw);
      server.gaps.push([from, from + scaled(draw, 0.3, 12) * HOUR]);
    }
    server.common_cycle = cycle(draw, 0, 0.3);
  },
  'growing data': (server, draw) => {
    const growing = draw() < 0.5 ? isTreated : () => draw() < 0.6;
    for (const one of server.statements) if (growing(one)) one.growth = between(draw, 0, 0.3);
  },
  'other parameters': (server, draw) => {
    for (const one of server.statements) {
      one.work = { deviation: between(draw, 0.05, 0.3), hours: scaled(draw, 0.3, 12) };
      if (draw() < 0.5) one.work_cycle = cycle(draw, 0, 0.3);
    }
  },
  'plans and caches warm up after the change': (server, draw) => {
    for (const one of server.statements) {
      if (isControl(one) && draw() < 0.7) continue;
      one.time_steps.push({
        at: 0,
        factor: Math.exp(between(draw, 0, 1)),
        fades: scaled(draw, 60, 2 * HOUR),
      });
    }
  },
  'resets and evictions and clock steps': (server, draw) => {
    for (let count = whole(draw, 0, 2); count > 0; count -= 1) server.resets.push(someTime(draw));
    for (const { id } of server.statements) {
      if (draw() < 0.3)
        server.evictions.push({ id, at: someTime(draw), seconds: scaled(draw, 60, 6 * HOUR) });
    }
    for (let count = whole(draw, 0, 2); count > 0; count -= 1) {
      server.clock_steps.push({ at: someTime(draw), seconds: between(draw, -2 * HOUR, 2 * HOUR) });
    }
    server.common_cycle = cycle(draw, 0, 0.3);
  },
  'a weekend': (server, draw) => {
    const at = someTime(draw);
    const until = at + 48 * HOUR;
    server.common_cycle = cycle(draw, 0.1, 0.4);
    server.common_steps.push({ at, until, factor: Math.exp(-between(draw, 0.1, 0.5)) });
    for (const one of server.statements) {
      one.time_steps.push({ at, until, factor: Math.exp(0.1 * normal(draw)) });
      one.rate_cycle = { ...server.common_cycle, amplitude: between(draw, 0, 1) };
    }
  },
  'some share a lock': (server, draw) => {
    server.shared = { deviation: between(draw, 0.1, 0.4), hours: scaled(draw, 0.2, 12) };
    for (const one of server.statements) if (isTreated(one) || draw() < 0.3) one.shares = 'table';
  },
  'tails without a variance': (server, draw) => {
    for (const one of server.statements) one.calls = { pareto: whole(draw, 15, 30) / 10 };
  },
  'a short history': (server, draw) => {
    server.history_hours = scaled(draw, 0.5, 6);
    server.common_cycle = cycle(draw, 0, 0.4);
    for (const one of server.statements) one.own_cycle = cycle(draw, 0, 0.2);
  },
  'cold caches after a restart': (server, draw) => {
    const at = someTime(draw);
    const fades = scaled(draw, 600, 6 * HOUR);
    for (const one of server.statements) {
      one.time_steps.push({ at, factor: Math.exp(between(draw, 0, 1.2)), fades });
    }
  },
} satisfies Record<string, Family['shape']>;

/** Each of the others for itself with a chance of one in four. */
const everything: Family = {
  name: 'several of these at once',
  looked_at: true,
  shape: (server, draw) => {
    for (const shape of Object.values(shapes)) if (draw() < 0.25) shape(server, draw);
  },
};

/**
 * Looked at after their first count: two slopes, and growth of the work, came of the one (2.3 % then), what is left where a
 * loss goes on falling of the other (3.7 %).
 */
const LOOKED_AT_LATER: ReadonlySet<string> = new Set([
  'growth that slows after what is new',
  'the table alone warms up for hours',
]);

export const families: Family[] = [
  ...Object.entries(shapes).map(([name, shape]) => ({ name, looked_at: true, shape })),
  everything,
  ...Object.entries({
    ...laterShapes,
    ...unseenShapes(isTreated),
    ...fewControls(isTreated, isControl),
  }).map(([name, shape]) => ({
    name,
    looked_at: LOOKED_AT_LATER.has(name),
    shape,
  })),
];

/** A server of this family. */
export function serverOf(family: Family, draw: Draw): SimulatedServer {
  const server = plain(draw);
  family.shape(server, draw);
  return server;
}
