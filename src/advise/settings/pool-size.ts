/** A pooler's settings from the sessions that were seen at work. */
import type { Concurrency } from '../../domain/index.ts';

export interface PoolPlan {
  pool_size: number;
  reserve: number;
  /** Clients that the pooler takes: waiting there costs next to nothing. */
  max_clients: number;
  /** Seconds that a client waits for a server connection before it is told so. */
  query_wait_timeout: number;
  formula: string;
}

/** Sessions at work that a CPU serves before they only wait for each other: PostgreSQL's wiki has 2 × cores + spindles. */
const SESSIONS_A_CPU = 4;
const MARGIN = 1.25;

/**
 * The pool: the 95th percentile of sessions at work with a quarter more, within 2 and 4 a CPU; a fifth as reserve for
 * peaks; clients as many as were seen, twice.
 * @param cpus null: not known, the sessions alone count.
 * @param most client sessions at once that were seen.
 */
export function poolPlan(seen: Concurrency, cpus: number | null, most: number): PoolPlan {
  const wanted = Math.max(2, Math.ceil(seen.active_p95 * MARGIN));
  const pool_size = cpus === null ? wanted : Math.min(Math.max(wanted, 2 * cpus), SESSIONS_A_CPU * cpus);
  const bounds = cpus === null ? '' : `, within 2 and ${SESSIONS_A_CPU} a CPU (${cpus})`;
  return {
    pool_size,
    reserve: Math.max(1, Math.ceil(pool_size / 5)),
    max_clients: Math.max(100, Math.ceil((2 * most) / 100) * 100),
    query_wait_timeout: 30,
    formula: `95th percentile of sessions at work, ${seen.active_p95} × ${MARGIN}${bounds}`,
  };
}

/** pgbouncer.ini, as far as it follows from what was seen. */
export function pgbouncerText(plan: PoolPlan, database: string): string {
  const name = /^[A-Za-z_][A-Za-z0-9_]*$/.test(database) ? database : `"${database.replaceAll('"', '""')}"`;
  return [
    '[databases]',
    `${name} = host=… port=5432 pool_size=${plan.pool_size} reserve_pool=${plan.reserve}`,
    '[pgbouncer]',
    'pool_mode = transaction',
    `default_pool_size = ${plan.pool_size}`,
    `reserve_pool_size = ${plan.reserve}`,
    'reserve_pool_timeout = 3',
    `max_db_connections = ${plan.pool_size + plan.reserve}`,
    `max_client_conn = ${plan.max_clients}`,
    `query_wait_timeout = ${plan.query_wait_timeout}`,
    'server_idle_timeout = 600',
    'server_lifetime = 3600',
    'idle_transaction_timeout = 60',
    '; 1.21 and newer: prepared statements of the protocol work in this mode',
    'max_prepared_statements = 200',
  ].join('\n');
}
