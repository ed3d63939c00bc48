/** Where test servers come from: containers where a Docker engine answers, npm packages otherwise. */
import { spawnSync } from 'node:child_process';
import { availableMajors, startEmbedded } from '../../src/embedded/index.ts';

export interface ServerRequest {
  major: number;
  settings: Record<string, string>;
}

export interface ProvidedServer {
  /** DSN of the database `postgres`, as a superuser. */
  dsn: string;
  superuser: string;
  stop(): Promise<void>;
}

/** A stock server, but small, without fsync, and with what the collector wants to see. */
const TEST_SETTINGS = {
  max_connections: '100',
  shared_buffers: '16MB',
  max_wal_size: '256MB',
  track_io_timing: 'on',
  shared_preload_libraries: 'pg_stat_statements',
  // A server serves many test files: with the default of 5,000 what one runs could evict another's. Not far more: each
  // look reads the whole file of texts, which is not cleaned of those of dropped databases below 512 bytes for each of
  // these (need_gc_qtexts() of pg_stat_statements.c).
  'pg_stat_statements.max': '10000',
  // A worker that came while a test runs would analyse its tables, mark their pages as visible, or hold its VACUUM back
  // by a snapshot: what a snapshot says, or a plan costs, would depend on the minute. Tests of autovacuum ask for one.
  autovacuum_naptime: '1d',
};

/** testcontainers' HTTP client (undici 8) needs Node 22.19; below 24 the embedded servers serve. */
const testcontainersRuns = Number(process.versions.node.split('.')[0]) >= 24;

function dockerAnswers(): boolean {
  if (!testcontainersRuns) return false;
  const result = spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], {
    stdio: 'ignore',
    timeout: 5_000,
  });
  return result.status === 0;
}

const docker = dockerAnswers();

/** The majors the suite runs against. */
export const testMajors: number[] = docker
  ? [15, 16, 17, 18]
  : availableMajors().filter((major) => major >= 15);

export async function startServer(request: ServerRequest): Promise<ProvidedServer> {
  const settings = { ...TEST_SETTINGS, ...request.settings };
  if (!docker) {
    // Copied from a cluster that initdb made before: a second each, of some thirty.
    const server = await startEmbedded({
      major: request.major,
      settings,
      name: `test${request.major}`,
      light: 'disk',
    });
    return { dsn: server.dsn('postgres'), superuser: server.superuser, stop: () => server.stop('immediate') };
  }
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql');
  const given = { fsync: 'off', full_page_writes: 'off', ...settings };
  const container = await new PostgreSqlContainer(`postgres:${request.major}`)
    .withDatabase('postgres')
    .withUsername('postgres')
    .withCommand([
      'postgres',
      ...Object.entries(given).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ])
    .start();
  return {
    dsn: container.getConnectionUri(),
    superuser: container.getUsername(),
    stop: async () => {
      await container.stop();
    },
  };
}
