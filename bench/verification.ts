/**
 * Verdicts over whole lifetimes of drawn servers: each change is judged as the service does it, look after look, until
 * a verdict is final. How often is it false where nothing changed, family by family; and how much of an effect is seen.
 */
import type { Benchmark, Figure } from './benchmark.ts';
import { type Family, families, lived } from './verification/index.ts';
import { isTreated } from './verification/server.ts';

interface Shares {
  succeeded: number;
  regressed: number;
  /** 95 % interval of either share, per cent. */
  succeeded_95: string;
  regressed_95: string;
  /** Median hours until a final verdict, of those that had one; null: none had. */
  hours: number | null;
}

/** Wilson's score interval (J. Am. Stat. Ass. 22, 1927), which is honest where nothing was seen. */
function wilson(count: number, draws: number): string {
  const z = 1.96;
  const share = count / draws;
  const middle = (share + z ** 2 / (2 * draws)) / (1 + z ** 2 / draws);
  const reach =
    (z / (1 + z ** 2 / draws)) * Math.sqrt((share * (1 - share)) / draws + (z / (2 * draws)) ** 2);
  const percent = (value: number) => (100 * value).toFixed(1);
  return `${percent(Math.max(0, middle - reach))} to ${percent(middle + reach)}`;
}

async function sharesOf(family: Family, draws: number, first: number, effect = 1): Promise<Shares> {
  const counts = { succeeded: 0, regressed: 0, inconclusive: 0 };
  const hours: number[] = [];
  for (let draw = 0; draw < draws; draw += 1) {
    const { verdict, at } = await lived(family, (first + draw) * 104_729, effect);
    counts[verdict] += 1;
    if (verdict !== 'inconclusive' && at !== null) hours.push(at / 3600);
  }
  hours.sort((a, b) => a - b);
  return {
    succeeded: counts.succeeded / draws,
    regressed: counts.regressed / draws,
    succeeded_95: wilson(counts.succeeded, draws),
    regressed_95: wilson(counts.regressed, draws),
    hours: hours[Math.floor(hours.length / 2)] ?? null,
  };
}

/** Draws that tests and tuning never used. */
const FIRST = 1_000_000;

const FEW_CONTROLS = 'three odd others';

export const verificationBenchmark: Benchmark = async ({ quick, only }) => {
  const draws = quick ? 60 : 300;
  const chosen = families.filter(({ name }) => only === null || only.includes(name));
  const rows: Record<string, unknown>[] = [];
  for (const family of chosen) {
    const { name, looked_at } = family;
    rows.push({ part: 'no effect', family: name, looked_at, ...(await sharesOf(family, draws, FIRST)) });
  }
  const plain = families.find(({ name }) => name === 'plain') as Family;
  for (const factor of only === null ? [0.95, 0.9, 0.85, 0.8, 0.7, 0.5, 1.1, 1.2, 1.3] : []) {
    rows.push({
      part: 'power',
      family: `plain, time × ${factor}`,
      ...(await sharesOf(plain, Math.ceil(draws / 2), FIRST, factor)),
    });
  }
  // Controls that lie far apart: what they hide, the work of each call shows.
  const few = families.find(({ name }) => name === FEW_CONTROLS) as Family;
  for (const factor of only === null || only.includes(FEW_CONTROLS)
    ? [0.7, 0.5, 0.1, 0.01, 1.5, 10, 100]
    : []) {
    rows.push({
      part: 'power',
      family: `${FEW_CONTROLS}, time × ${factor}`,
      ...(await sharesOf(few, Math.ceil(draws / 2), FIRST, factor)),
    });
  }
  // A loss that shows in time alone: nothing but its lasting tells it from caches that warm up.
  for (const factor of only === null ? [1.2, 1.5, 2] : []) {
    const shape: Family['shape'] = ({ statements }) => {
      for (const one of statements.filter(isTreated)) one.time_steps.push({ at: 0, factor });
    };
    const family = { name: `plain, time alone × ${factor}`, looked_at: true, shape };
    const shares = await sharesOf(family, Math.ceil(draws / 2), FIRST);
    rows.push({ part: 'power', family: family.name, ...shares });
  }
  for (const part of ['no effect', 'power']) {
    console.log(`\n${part}, ${draws} draws a family`);
    console.table(rows.filter((row) => row.part === part).map(({ part: _, ...row }) => row));
  }
  const worst = (word: 'succeeded' | 'regressed', looked_at: boolean): Figure => ({
    value: Math.max(
      0,
      ...rows
        .filter((row) => row.part === 'no effect' && row.looked_at === looked_at)
        .map((row) => Number(row[word])),
    ),
    unit: 'share',
    aim: 0.01,
    better: 'lower',
  });
  const seen = (factor: number, word: 'succeeded' | 'regressed'): Figure => ({
    value: Number(rows.find((row) => row.family === `plain, time × ${factor}`)?.[word] ?? Number.NaN),
    unit: 'share',
    aim: null,
    better: 'higher',
  });
  return {
    figures: {
      false_success_looked_at: worst('succeeded', true),
      false_success_unseen: worst('succeeded', false),
      false_regression_looked_at: worst('regressed', true),
      false_regression_unseen: worst('regressed', false),
      ...(only === null
        ? {
            power_at_10pct: seen(0.9, 'succeeded'),
            power_at_20pct: seen(0.8, 'succeeded'),
            power_at_30pct: seen(0.7, 'succeeded'),
          }
        : {}),
    },
    rows,
  };
};
