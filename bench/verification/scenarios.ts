/** The worlds that verdicts are held against. */
import type { World } from './world.ts';

export interface Scenario {
  name: string;
  world: World;
  /** What a verdict must not say: it would be false. */
  wrong: ('succeeded' | 'regressed')[];
}

/** A middling server: times of calls skewed, statements that drift by themselves, an hour in twelve parts. */
const usual: World = {
  effect: 1,
  load: 1,
  controls_shift: 1,
  controls: 6,
  sigma: 0.8,
  drift: 0.05,
  common_drift: 0.1,
  autocorrelation: 0.6,
  intervals: 12,
  calls: 300,
};

const BOTH: Scenario['wrong'] = ['succeeded', 'regressed'];
const none = (name: string, given: Partial<World>): Scenario => ({
  name,
  world: { ...usual, ...given },
  wrong: BOTH,
});

export const scenarios: { noEffect: Scenario[]; effects: Scenario[]; power: (effect: number) => World } = {
  noEffect: [
    none('no effect', {}),
    none('no effect, windows not cut', { intervals: 1, calls: 3_600 }),
    none('no effect, four intervals', { intervals: 4, calls: 900 }),
    none('no effect, few calls', { intervals: 4, calls: 9 }),
    none('no effect, heavy tails', { sigma: 1.5 }),
    none('no effect, strong drift', { drift: 0.15, autocorrelation: 0.8 }),
    none('no effect, strong drift, windows not cut', { drift: 0.15, intervals: 1, calls: 3_600 }),
    none('no effect, no controls', { controls: 0 }),
    none('no effect, no controls, windows not cut', { controls: 0, intervals: 1, calls: 3_600 }),
    none('no effect, three controls', { controls: 3 }),
    none('no effect, load + 60 %', { load: 1.6 }),
    none('no effect, load − 40 %', { load: 0.6 }),
    none('no effect, controls alone + 30 %', { controls_shift: 1.3 }),
    none('no effect, controls alone − 30 %', { controls_shift: 0.7 }),
    none('no effect, controls alone + 30 %, windows not cut', {
      controls_shift: 1.3,
      intervals: 1,
      calls: 3_600,
    }),
  ],
  effects: [
    { name: 'a fifth slower', world: { ...usual, effect: 1.2 }, wrong: ['succeeded'] },
    {
      name: 'a fifth slower, load − 40 %',
      world: { ...usual, effect: 1.2, load: 0.6 },
      wrong: ['succeeded'],
    },
    { name: '30 % faster', world: { ...usual, effect: 0.7 }, wrong: ['regressed'] },
    { name: '30 % faster, load + 60 %', world: { ...usual, effect: 0.7, load: 1.6 }, wrong: ['regressed'] },
  ],
  power: (effect) => ({ ...usual, effect: 1 - effect }),
};
