/** Sends a fixed list of calls over some connections, as an application would. */
import pg from 'pg';
import { cpuOf } from '../cpu-time.ts';
import { drawsOf } from '../draws.ts';

/** A statement of the application. */
export interface Template {
  name: string;
  sql: string;
  /** Calls a run. */
  calls: number;
  parameters: (draw: () => number) => unknown[];
}

/** One of so many equal parts of a list of calls, from 0 on. */
export interface Slice {
  part: number;
  of: number;
}

export interface DriveOptions {
  connections: number;
  slice: Slice;
  /** The same seed sends the same calls in the same order. */
  seed: number;
}

/** Sends the slice of the templates' calls, mixed up. @returns calls and what they took. */
export async function drive(
  dsn: string,
  templates: readonly Template[],
  { connections, slice, seed }: DriveOptions,
): Promise<{ calls: number /** Of the server's processes, milliseconds. */; cpu_ms: number }> {
  const draw = drawsOf(seed);
  const calls = templates
    .flatMap((template) =>
      Array.from({ length: template.calls }, () => ({
        at: draw(),
        sql: template.sql,
        values: template.parameters(draw),
      })),
    )
    .sort((a, b) => a.at - b.at)
    .filter((_, at) => at % slice.of === slice.part);
  const clients = Array.from({ length: connections }, () => {
    return new pg.Client({ connectionString: dsn, application_name: 'shop' });
  });
  try {
    await Promise.all(clients.map((client) => client.connect()));
    const pids = await Promise.all(
      clients.map(async (client) => {
        const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        return rows[0]?.pid ?? 0;
      }),
    );
    const cpu = async () => (await Promise.all(pids.map(cpuOf))).reduce((sum, ms) => sum + ms, 0);
    const started = await cpu();
    let next = 0;
    await Promise.all(
      clients.map(async (client) => {
        for (let call = calls[next++]; call !== undefined; call = calls[next++]) {
          await client.query(call.sql, call.values);
        }
      }),
    );
    return { calls: calls.length, cpu_ms: (await cpu()) - started };
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}
