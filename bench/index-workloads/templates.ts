/** Many templates over twenty tables: 240 statements, drawn with a fixed seed so that no two runs differ. */
import type { GeneratedWorkload } from './index-workload.ts';

const TABLES = 20;
const STATEMENTS = 240;

const script = `DO $$ BEGIN FOR i IN 0..${TABLES - 1} LOOP
  EXECUTE format('CREATE TABLE t%s (id bigint PRIMARY KEY, owner_id int, parent_id bigint, kind text, code text, state text,
    amount numeric(10, 2), rank int, created_at timestamptz, note text)', i);
  EXECUTE format($q$INSERT INTO t%s SELECT g, g %% %s, g %% 400, (ARRAY['a', 'b', 'c', 'd', 'e'])[1 + g %% 5], 'c' || g %% 900,
    CASE WHEN g %% 20 = 0 THEN 'open' WHEN g %% 7 = 0 THEN 'held' ELSE 'done' END, g %% 777, (g * 31) %% 100,
    timestamptz '2025-01-01' + g * interval '3 hours', repeat('x', 20 + g %% 40) FROM generate_series(1, 2000) g$q$, i, 20 + 15 * i);
END LOOP; END $$`;

/** Mulberry32. */
function draws(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

function statements(): { calls: number; sql: string }[] {
  const draw = draws(7);
  const pick = (from: readonly string[]) => from[draw(from.length)] ?? '';
  const condition = (alias: string) =>
    pick([
      `${alias}.owner_id = ${draw(20)}`,
      `${alias}.parent_id = ${draw(400)}`,
      `${alias}.kind = 'b'`,
      `${alias}.code = 'c${draw(900)}'`,
      `${alias}.state = 'open'`,
      `${alias}.rank > 90`,
      `${alias}.amount BETWEEN 100 AND 130`,
      `${alias}.created_at >= '2025-08-01' AND ${alias}.created_at < '2025-08-09'`,
    ]);
  const conditions = (alias: string) =>
    [...new Set(Array.from({ length: 1 + draw(3) }, () => condition(alias)))].join(' AND ');
  const shapes: (() => string)[] = [
    () => `SELECT a.id, a.note FROM t${draw(TABLES)} a WHERE ${conditions('a')}`,
    () =>
      `SELECT a.id, a.code FROM t${draw(TABLES)} a WHERE ${conditions('a')} ORDER BY a.${pick(['created_at', 'rank', 'amount'])} DESC LIMIT 20`,
    () => {
      const column = pick(['kind', 'state', 'owner_id', 'rank']);
      return `SELECT a.${column}, count(*), sum(a.amount) FROM t${draw(TABLES)} a WHERE ${conditions('a')} GROUP BY a.${column}`;
    },
    () =>
      `SELECT a.id, b.amount FROM t${draw(TABLES)} a JOIN t${draw(TABLES)} b ON b.parent_id = a.id WHERE ${conditions('a')} AND ${condition('b')}`,
    () =>
      `SELECT count(*) FROM t${draw(TABLES)} a JOIN t${draw(TABLES)} b ON b.owner_id = a.owner_id AND b.code = a.code WHERE ${conditions('a')}`,
    () =>
      `SELECT a.id FROM t${draw(TABLES)} a WHERE ${conditions('a')} AND EXISTS (SELECT 1 FROM t${draw(TABLES)} b WHERE b.parent_id = a.parent_id AND ${conditions('b')})`,
  ];
  return Array.from({ length: STATEMENTS }, (_, n) => ({
    calls: 1 + draw(1000),
    sql: shapes[n % shapes.length]?.() ?? '',
  }));
}

export const templates: GeneratedWorkload = {
  name: 'templates',
  script,
  growth: 200,
  statements: statements(),
};
