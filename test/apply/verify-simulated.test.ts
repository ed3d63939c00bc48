/** Verdicts over many drawn changes whose effect is known: hardly any is false. Seeded, so that each run draws the same. */
import { describe, expect, it } from 'vitest';
import { judged, scenarios, type World } from '../../bench/verification/index.ts';

/** Share of verdicts that may be false. */
const MOST_FALSE = 0.01;
const DRAWS = 600;

function shares(world: World, draws: number): Record<'succeeded' | 'inconclusive' | 'regressed', number> {
  const counts = { succeeded: 0, inconclusive: 0, regressed: 0 };
  for (let seed = 1; seed <= draws; seed += 1) counts[judged(world, seed * 104_729)] += 1 / draws;
  return counts;
}

describe('without an effect', () => {
  it.each(scenarios.noEffect)('$name', ({ world, wrong }) => {
    const found = shares(world, DRAWS);
    for (const word of wrong) expect(found[word], word).toBeLessThan(MOST_FALSE);
  });
});

describe('with an effect', () => {
  it.each(scenarios.effects)('$name is never told as its opposite', ({ world, wrong }) => {
    const found = shares(world, DRAWS);
    for (const word of wrong) expect(found[word], word).toBe(0);
  });

  it('of 30 %, most are seen', () => {
    expect(shares(scenarios.power(0.3), 300).succeeded).toBeGreaterThan(0.85);
    const slower = scenarios.effects.find(({ name }) => name === 'a fifth slower');
    expect(shares(slower?.world as World, 300).regressed).toBeGreaterThan(0.5);
  });

  it('of 10 %, fewer, for an estimate below a tenth is none', () => {
    const found = shares(scenarios.power(0.1), 300).succeeded;
    expect(found).toBeGreaterThan(0.05);
    expect(found).toBeLessThan(0.5);
  });
});
