/** Whole lifetimes of drawn servers on which nothing changed: hardly any change is told to have helped or harmed. */
import { describe, expect, it } from 'vitest';
import { families, lived } from '../../bench/verification/index.ts';

/** Of each family; `npm run bench -- verification` draws 300. */
const DRAWS = 24;

async function counts(effect: number, draws: number, among = families) {
  const found = { succeeded: 0, regressed: 0, inconclusive: 0 };
  for (const family of among) {
    for (let draw = 0; draw < draws; draw += 1) {
      found[(await lived(family, (5_000 + draw) * 7_919, effect)).verdict] += 1;
    }
  }
  return found;
}

describe('over families of servers', () => {
  it('without an effect, fewer than one in a hundred verdicts is false', async () => {
    const found = await counts(1, DRAWS);
    const all = DRAWS * families.length;
    expect(found.succeeded / all).toBeLessThan(0.01);
    expect(found.regressed / all).toBeLessThan(0.01);
  }, 180_000);

  it('an effect of a half is mostly seen, and never told as its opposite', async () => {
    const plain = families.filter(({ name }) => name === 'plain');
    const faster = await counts(0.5, 40, plain);
    expect(faster.succeeded).toBeGreaterThan(32);
    expect(faster.regressed).toBe(0);
    const slower = await counts(2, 40, plain);
    expect(slower.regressed).toBeGreaterThan(32);
    expect(slower.succeeded).toBe(0);
  }, 180_000);
});
