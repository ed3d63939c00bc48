/**
 * The sample application's workload, run for real: every statement through node-postgres with parameters, so that
 * pg_stat_statements sees what it would see of an application.
 */
import pg from 'pg';

/** A small generator of repeatable draws (mulberry32), so that two runs ask the same questions. */
function repeatableDraws(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface WorkloadStatement {
  /** Runs per round. */
  times: number;
  sql: string;
  parameters: (draw: () => number) => unknown[];
}

const skewedTask = (draw: () => number) => 1 + Math.floor(300_000 * (1 - draw() ** 3));

const STATEMENTS: WorkloadStatement[] = [
  {
    // A user's newest tasks: composite, newest first.
    times: 2,
    sql: 'SELECT id, goal, status, created_at FROM app.tasks WHERE owner_id = $1 ORDER BY created_at DESC LIMIT 20',
    parameters: (draw) => [1 + Math.floor(20_000 * draw() ** 2)],
  },
  {
    // The scheduler's queue: half a percent of the table.
    times: 2,
    sql: 'SELECT id, arm_id, goal FROM app.tasks WHERE finished_at IS NULL ORDER BY priority DESC, created_at LIMIT 50',
    parameters: () => [],
  },
  {
    // Log in by e-mail, whatever its case.
    times: 2,
    sql: 'SELECT id, name, entity_type FROM app.entities WHERE lower(email) = lower($1)',
    parameters: (draw) => {
      const n = 1 + Math.floor(150_000 * draw());
      return [`user.${n}@example.${['com', 'org', 'net'][n % 3]}`];
    },
  },
  {
    // Full text.
    times: 1,
    sql: "SELECT id, name FROM app.entities WHERE search @@ plainto_tsquery('english', $1) ORDER BY id LIMIT 20",
    parameters: (draw) => [`topic${Math.floor(4000 * draw())}`],
  },
  {
    // Documents by content.
    times: 1,
    sql: 'SELECT id, name FROM app.entities WHERE properties @> $1::jsonb',
    parameters: (draw) => [JSON.stringify({ serial: Math.floor(5000 * draw()) })],
  },
  {
    // Who points here, and how.
    times: 2,
    sql: `SELECT e.id, e.name, r.weight FROM app.relationships r JOIN app.entities e ON e.id = r.from_entity_id
          WHERE r.to_entity_id = $1 AND r.relationship_type = $2`,
    parameters: (draw) => [1 + Math.floor(150_000 * draw() ** 2), draw() < 0.5 ? 'uses' : 'knows'],
  },
  {
    // Neighbours: served by an index already.
    times: 4,
    sql: 'SELECT to_entity_id, relationship_type FROM app.relationships WHERE from_entity_id = $1',
    parameters: (draw) => [1 + Math.floor(150_000 * draw())],
  },
  {
    // The history of one task.
    times: 2,
    sql: 'SELECT action, succeeded, duration_ms, created_at FROM app.action_log WHERE task_id = $1 ORDER BY created_at DESC LIMIT 10',
    parameters: (draw) => [skewedTask(draw)],
  },
  {
    // The dashboard's last hours of the append-only log.
    times: 1,
    sql: `SELECT action, count(*), avg(duration_ms) FROM app.action_log
          WHERE created_at >= $1 AND created_at < $2 GROUP BY action`,
    parameters: (draw) => {
      const end = Date.now() - Math.floor(draw() * 24) * 3_600_000;
      return [new Date(end - 2 * 3_600_000), new Date(end)];
    },
  },
  {
    // Tasks change their status all the time …
    times: 40,
    sql: 'UPDATE app.tasks SET status = $1, attempts = attempts + 1, updated_at = now() WHERE id = $2',
    parameters: (draw) => [draw() < 0.8 ? 'completed' : 'failed', 1 + Math.floor(298_000 * draw())],
  },
  {
    // … and everything is logged.
    times: 40,
    sql: `INSERT INTO app.action_log (task_id, arm_id, action, succeeded, duration_ms) VALUES ($1, $2, $3, $4, $5)`,
    parameters: (draw) => [
      skewedTask(draw),
      1 + Math.floor(12 * draw()),
      'call',
      true,
      Math.floor(500 * draw()),
    ],
  },
  {
    // Primary-key look-ups: the control that no advice touches.
    times: 40,
    sql: 'SELECT goal, status FROM app.tasks WHERE id = $1',
    parameters: (draw) => [skewedTask(draw)],
  },
];

/**
 * Runs `rounds` rounds of the workload over `connections` connections, each with its own repeatable draws.
 * @param progress is told the share done, 0..1.
 */
export async function runWorkload(
  dsn: string,
  options: { rounds: number; connections: number; progress: (fraction: number) => void },
): Promise<void> {
  let remaining = options.rounds;
  const worker = async (seed: number) => {
    const client = new pg.Client({ connectionString: dsn, application_name: 'octo-app' });
    await client.connect();
    const draw = repeatableDraws(seed);
    try {
      while (remaining > 0) {
        remaining -= 1;
        for (const statement of STATEMENTS) {
          for (let time = 0; time < statement.times; time += 1) {
            await client.query(statement.sql, statement.parameters(draw));
          }
        }
        options.progress(1 - remaining / options.rounds);
      }
    } finally {
      await client.end();
    }
  };
  await Promise.all(Array.from({ length: options.connections }, (_, index) => worker(7 + index)));
}
