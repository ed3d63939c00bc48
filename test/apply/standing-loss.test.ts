/** What was becoming slower anyway, and what is slow for a while only, is no harm that the change did. */
import { describe, expect, it } from 'vitest';
import type { Family } from '../../bench/verification/families.ts';
import { lived } from '../../bench/verification/index.ts';
import { HOUR, isTreated, type SimulatedStatement } from '../../bench/verification/server.ts';
import { stepAtChange } from '../../src/apply/verify/standing-loss.ts';

/** Verdicts on servers that hardly drift, whose treated statements are as `shape` makes them. */
async function verdicts(shape: (statement: SimulatedStatement) => void, effect = 1, draws = 10) {
  const family: Family = {
    name: 'made for this test',
    looked_at: true,
    shape: ({ common, statements }) => {
      common.deviation = 0.02;
      for (const one of statements) one.own.deviation = 0.01;
      statements.filter(isTreated).forEach(shape);
    },
  };
  const found = { succeeded: 0, regressed: 0, inconclusive: 0, hours: [] as number[] };
  for (let draw = 0; draw < draws; draw += 1) {
    const { verdict, at } = await lived(family, 31 + draw * 7_919, effect);
    found[verdict] += 1;
    if (at !== null) found.hours.push(at / HOUR);
  }
  return found;
}

describe('statements that got slower', () => {
  // Without the trend 4 of the 60 were told to have regressed.
  it('by a third a day before the change and after it: no regression', async () => {
    const found = await verdicts(
      (one) => {
        one.growth = 0.3;
      },
      1,
      60,
    );
    expect(found).toMatchObject({ regressed: 0, succeeded: 0 });
  });

  it('for hours after the change, while caches and plans warm up: no regression', async () => {
    const found = await verdicts((one) => {
      one.time_steps.push({ at: 0, factor: 2.7, fades: 2 * HOUR });
    });
    expect(found).toMatchObject({ regressed: 0, succeeded: 0 });
  });

  // Without the look ahead, 9 of the 30 were told to have regressed.
  it('for hours of a day, while a large table warms up: no regression', async () => {
    const found = await verdicts(
      (one) => {
        one.time_steps.push({ at: 0, factor: 1.6, fades: 5 * HOUR });
      },
      1,
      30,
    );
    expect(found).toMatchObject({ regressed: 0, succeeded: 0 });
  });

  it('with the change and for good, in time alone: told once it has lasted for four hours', async () => {
    const found = await verdicts((one) => {
      one.time_steps.push({ at: 0, factor: 2 });
    });
    expect(found.regressed).toBeGreaterThanOrEqual(9);
    expect(Math.min(...found.hours)).toBeGreaterThanOrEqual(4);
  });

  it('with other plans, which read more blocks: mostly told within the hour', async () => {
    const found = await verdicts((one) => {
      one.rate = Math.max(one.rate, 500);
    }, 5);
    expect(found.regressed).toBe(10);
    // Where there are three controls, their few degrees of freedom ask for a longer window.
    expect(found.hours.filter((hours) => hours <= 1).length).toBeGreaterThanOrEqual(5);
  });

  it('both by growth and by the change: told', async () => {
    const found = await verdicts((one) => {
      one.growth = 0.2;
    }, 2);
    expect(found.regressed).toBeGreaterThanOrEqual(9);
  });
});

it('the step at the change is what the trend leaves, of one slope or of two', () => {
  const line = (from: number, step: number, slope = 0.5) =>
    [0, 1, 2, 3, 4].map((at) => ({ at: from + at, log: slope * (from + at) + step }));
  expect(stepAtChange(line(-5, 0), line(0, 0), 1)).toBeCloseTo(0);
  expect(stepAtChange(line(-5, 0), line(0, 0.3), 1)).toBeCloseTo(0.3);
  expect(stepAtChange(line(-5, 0), line(0, 0, 0.1), 2)).toBeCloseTo(0);
  expect(stepAtChange(line(-5, 0), line(0, 0.3, 0.1), 2)).toBeCloseTo(0.3);
  expect(stepAtChange(line(-5, 0), line(0, 0).slice(2), 1)).toBeNull();
});
