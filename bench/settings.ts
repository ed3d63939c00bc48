/**
 * Settings: PostgreSQL's defaults, pgtune's for the same hardware, and ours (the baseline, then what the advisor says
 * after it has seen the load), on one server and one set of files: each takes its turn with a restart, each round in
 * another order, so that nobody always comes after the same other; ratios are of turns of one round. pgtune's settings
 * take two turns a round: a difference that those two have as well is none. The server runs in a control group with little memory where this machine lets us make one. Runs are of seconds: what shows
 * within one checkpoint or after many is not in them.
 */
import pg from 'pg';
import { hostSettings } from '../src/advise/index.ts';
import { startEmbedded } from '../src/embedded/index.ts';
import { matrix } from '../test/advise/settings/matrix.ts';
import type { BenchmarkOptions, BenchmarkResult, Figure } from './benchmark.ts';
import {
  CONTENDERS,
  type Configuration,
  type Contender,
  configure,
  ourConfiguration,
  pgtuneConfiguration,
} from './settings/contenders.ts';
import { type Amount, type LoadName, type LoadResult, type LoadRunner, loadRunner } from './settings/load.ts';
import { type MemoryGroup, memoryGroup } from './settings/memory-group.ts';
import type { PgtuneInput } from './settings/pgtune.ts';
import { type Ratio, ratioOf, showRatio } from './settings/ratios.ts';
import { serverCounts } from './settings/server-counts.ts';
import { createOrders, createPgbenchTables, createSales } from './settings/tables.ts';

const MAJOR = 18;
const CPUS = 2;

interface Plan {
  load: LoadName;
  type: PgtuneInput['type'];
  ram_bytes: number;
  scale: number;
  size: PgtuneInput['size'];
  /** Of one turn. */
  amount: Amount;
  rounds: number;
}

const MB = 2 ** 20;

/**
 * Each contender follows each other one equally often (a Williams square): what a turn leaves behind (dirty pages, a
 * fuller disk) falls on each of the others alike.
 */
const ORDERS: readonly (readonly Contender[])[] = [
  ['default', 'pgtune', 'ours', 'pgtune again'],
  ['pgtune', 'pgtune again', 'default', 'ours'],
  ['pgtune again', 'ours', 'pgtune', 'default'],
  ['ours', 'default', 'pgtune again', 'pgtune'],
];

function plans(quick: boolean): Plan[] {
  const rounds = quick ? 2 : 8;
  const seconds = quick ? 1 : 6;
  const scale = quick ? 2 : 40;
  const ram_bytes = (quick ? 256 : 1024) * MB;
  const size = 'less_ram';
  return [
    { load: 'rw', type: 'oltp', ram_bytes, scale, size, amount: { seconds }, rounds },
    { load: 'ro', type: 'web', ram_bytes, scale, size, amount: { seconds }, rounds },
    // In millions of sales.
    {
      load: 'analytic',
      type: 'dw',
      ram_bytes,
      scale: quick ? 0.05 : 0.4,
      size: 'less_ram',
      // A pass takes a second or two: a number of them, for a turn of seconds would end in the middle of one.
      amount: { transactions: quick ? 1 : 2 },
      rounds,
    },
    {
      load: 'spills',
      type: 'mixed',
      // Without a budget of some size nobody can be given what a spill of a hundred MB needs.
      ram_bytes: 4096 * MB,
      // Of pgbench's tables; in 25,000 orders.
      scale: quick ? 2 : 40,
      size: 'less_ram',
      amount: { transactions: 1 },
      rounds,
    },
  ];
}

interface Measured {
  plan: Plan;
  results: Record<Contender, LoadResult[]>;
  configurations: Record<Contender, Configuration>;
  advice: string[];
  limited: boolean;
}

/** So many times as much, in whole seconds or transactions. */
function times(amount: Amount, factor: number): Amount {
  const whole = (value: number) => Math.max(1, Math.round(value * factor));
  return 'seconds' in amount
    ? { seconds: whole(amount.seconds) }
    : { transactions: whole(amount.transactions) };
}

async function measure(plan: Plan, runner: LoadRunner): Promise<Measured> {
  const group: MemoryGroup | null = await memoryGroup(plan.ram_bytes);
  const server = await startEmbedded({
    name: `bench-settings-${plan.load}`,
    major: MAJOR,
    settings: {
      shared_preload_libraries: 'pg_stat_statements',
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      track_io_timing: 'on',
    },
  });
  try {
    await group?.take(server.pid);
    const client = new pg.Client({ connectionString: server.dsn('postgres') });
    await client.connect();
    await client.query('CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_prewarm');
    if (plan.load === 'analytic') await createSales(client, Math.round(plan.scale * 1e6));
    else await createPgbenchTables(client, plan.scale);
    if (plan.load === 'spills') await createOrders(client, Math.round(plan.scale * 25_000));
    await client.end();
    const run = async (amount: Amount): Promise<LoadResult> => {
      const counted = await serverCounts(server.dsn('postgres'));
      const before = await group?.cpuMs();
      const { transactions, ...timed } = await runner.run(
        plan.load,
        server.dsn('postgres'),
        amount,
        Math.max(1, Math.round(plan.scale)),
      );
      const after = await group?.cpuMs();
      const cpu = typeof before === 'number' && typeof after === 'number' ? after - before : null;
      const now = await serverCounts(server.dsn('postgres'));
      const each = (key: keyof typeof now, unit: number) => (now[key] - counted[key]) / unit / transactions;
      return {
        ...timed,
        cpu_ms: cpu === null ? null : cpu / transactions,
        temp_mb: each('temp_bytes', MB),
        wal_kb: each('wal_bytes', 1024),
        wal_pages: each('wal_pages', 1),
      };
    };
    const host = { major: MAJOR, ram_bytes: plan.ram_bytes, cpus: CPUS, disk: 'ssd' as const };
    const ours = await ourConfiguration(server, host, plan.type, group, () =>
      run(times(plan.amount, plan.load === 'spills' ? 3 : 2)),
    );
    const pgtunes = await pgtuneConfiguration(server, { ...host, type: plan.type, size: plan.size });
    const configurations: Record<Contender, Configuration> = {
      default: { settings: {}, statements: [], left_out: [] },
      pgtune: pgtunes,
      'pgtune again': pgtunes,
      ours: ours.configuration,
    };
    const results: Record<Contender, LoadResult[]> = {
      default: [],
      pgtune: [],
      'pgtune again': [],
      ours: [],
    };
    for (let round = 0; round < plan.rounds; round += 1) {
      for (const contender of ORDERS[round % ORDERS.length] ?? CONTENDERS) {
        await configure(server, configurations[contender], group);
        // Not counted: catalogs, plans, the first checkpoints.
        await (plan.load === 'spills'
          ? runner.run('ro', server.dsn('postgres'), { seconds: 1 }, plan.scale)
          : run(times(plan.amount, 0.25)));
        results[contender].push(await run(plan.amount));
      }
    }
    return { plan, results, configurations, advice: ours.advice, limited: group !== null };
  } finally {
    await server.stop('immediate');
    await group?.remove().catch((error: unknown) => console.error('the group stays behind:', String(error)));
  }
}

/** NaN where it could not be told. */
const of = (results: readonly LoadResult[], key: keyof LoadResult) =>
  results.map((result) => result[key] ?? Number.NaN);
const middle = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** To pgtune's two turns of a round, as their geometric mean; of its second turn to its first. */
function ratioTo(
  results: Measured['results'],
  contender: Contender,
  other: 'default' | 'pgtune',
  key: keyof LoadResult,
): Ratio {
  const first = of(results[other], key);
  const again = of(results['pgtune again'], key);
  const both = other === 'pgtune' && contender !== 'pgtune again';
  const to = both ? first.map((value, round) => Math.sqrt(value * (again[round] ?? Number.NaN))) : first;
  return ratioOf(of(results[contender], key), to);
}

function show({ plan, results, configurations, advice, limited }: Measured): void {
  console.log(
    `\n${plan.load}: ${plan.ram_bytes / MB} MB of memory${limited ? '' : ' (no control group could be made: not limited)'}, ${plan.rounds} rounds of ${'seconds' in plan.amount ? `${plan.amount.seconds} s` : `${plan.amount.transactions} passes`}`,
  );
  const against = (contender: Contender, other: 'default' | 'pgtune', key: keyof LoadResult) =>
    contender === other ? '' : showRatio(ratioTo(results, contender, other, key));
  console.table(
    CONTENDERS.map((contender) => ({
      contender,
      'per second, median': middle(of(results[contender], 'per_second')).toPrecision(4),
      'mean ms': middle(of(results[contender], 'mean_ms')).toPrecision(3),
      'P95 ms': middle(of(results[contender], 'p95_ms')).toPrecision(3),
      'throughput ÷ default': against(contender, 'default', 'per_second'),
      'throughput ÷ pgtune': against(contender, 'pgtune', 'per_second'),
      'P95 ÷ pgtune': against(contender, 'pgtune', 'p95_ms'),
      'CPU of the server ÷ pgtune': against(contender, 'pgtune', 'cpu_ms'),
      'temp MB each': middle(of(results[contender], 'temp_mb')).toFixed(1),
      'WAL kB each': middle(of(results[contender], 'wal_kb')).toFixed(1),
      'of it whole pages': middle(of(results[contender], 'wal_pages')).toFixed(2),
      ...(results[contender].some(({ beside_p95_ms }) => beside_p95_ms !== null)
        ? {
            'beside it, P95 ms': middle(of(results[contender], 'beside_p95_ms')).toPrecision(3),
            'beside it, P95 ÷ pgtune': against(contender, 'pgtune', 'beside_p95_ms'),
          }
        : {}),
    })),
  );
  for (const contender of ['pgtune', 'ours'] as const) {
    const { settings, statements, left_out } = configurations[contender];
    console.log(
      `${contender}: ${Object.entries(settings)
        .map((pair) => pair.join(' = '))
        .join(', ')}${statements.length > 0 ? `; ${statements.join('; ')}` : ''}`,
    );
    if (left_out.length > 0) console.log(`  left out: ${left_out.join('; ')}`);
  }
  console.log(`advice after the load was seen: ${advice.join('; ') || 'none'}`);
}

/** Cases of the acceptance set in which the worst case of all settings together fits its budget. */
function budgetHeld(): number {
  return matrix.filter(({ input }) => {
    const { worst_case_bytes, budget_bytes } = hostSettings(input);
    return worst_case_bytes <= budget_bytes && budget_bytes <= input.ram_bytes;
  }).length;
}

export async function settingsBenchmark({ quick, only }: BenchmarkOptions): Promise<BenchmarkResult> {
  const runner = await loadRunner();
  console.log(`load by ${runner.name}`);
  const measured: Measured[] = [];
  for (const plan of plans(quick)) {
    if (only && !only.includes(plan.load)) continue;
    const result = await measure(plan, runner);
    show(result);
    measured.push(result);
  }
  const figures: Record<string, Figure> = {
    budget_held_cases: { value: budgetHeld(), unit: 'of 15', aim: 15, better: 'higher' },
  };
  const add = (name: string, value: number, better: Figure['better'], aim: number | null) => {
    if (Number.isFinite(value))
      figures[name] = { value: Number(value.toFixed(3)), unit: 'ratio', aim, better };
  };
  for (const { plan, results } of measured) {
    for (const other of ['pgtune', 'default'] as const) {
      const name = `ratio_vs_${other}_${plan.load}`;
      const ratio = ratioTo(results, 'ours', other, 'per_second');
      add(name, ratio.mean, 'higher', 1);
      add(`${name}_low`, ratio.low, 'higher', null);
      add(`${name}_high`, ratio.high, 'higher', null);
      add(`cpu_vs_${other}_${plan.load}`, ratioTo(results, 'ours', other, 'cpu_ms').mean, 'lower', 1);
    }
    const control = ratioTo(results, 'pgtune again', 'pgtune', 'per_second');
    add(`control_${plan.load}_low`, control.low, 'higher', null);
    add(`control_${plan.load}_high`, control.high, 'higher', null);
  }
  return { figures, rows: measured.map((one) => ({ ...one })) };
}
