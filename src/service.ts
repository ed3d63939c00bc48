/** The service, put together: store, rules, API and jobs. The command line and the tests start it from here. */
import { join } from 'node:path';
import { serve } from '@hono/node-server';
import { type Logger, pino } from 'pino';
import { startJobs } from '../jobs/scheduler.ts';
import { loadRules } from './advise/index.ts';
import { createApp } from './api/index.ts';
import { type Config, environmentVariable } from './config.ts';
import { PgLuthierError } from './domain/index.ts';
import { type EmbeddedServer, startEmbedded } from './embedded/index.ts';
import { apiToken, prepareDataDirectory, secretKey } from './keys.ts';
import { BackgroundWork, recoverApplies, type Services } from './pipeline/index.ts';
import { openStore, type Store } from './store/index.ts';
import { packageVersion } from './version.ts';

/** An apply that is younger than this at our start may be another replica's, on its way to its lock. */
const STARTING_MS = 2_000;
/** How long requests may take to their answer once everything else was told to end, ms. */
const REQUESTS_WITHIN_MS = 2_000;

export interface RunningService {
  /** Where the API listens, e.g. http://127.0.0.1:8420. */
  url: string;
  /** The token, only when it was generated at this start. */
  fresh_token: string | null;
  services: Services;
  /** Ends jobs, requests, running work, the pool and the embedded store, in this order, each within a bound. */
  stop(): Promise<void>;
}

/** A logger that writes JSON lines to standard error and never a secret. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      redact: { paths: ['dsn', '*.dsn', 'token', '*.token', 'password', '*.password'], censor: '[redacted]' },
    },
    pino.destination(2),
  );
}

/** The store: a server by its DSN, or an embedded one in the data directory. Migrated either way. */
export async function openConfiguredStore(
  config: Config,
  logger: Logger,
): Promise<{ store: Store; embedded: EmbeddedServer | null }> {
  await prepareDataDirectory(config);
  const embedded = config.store_url
    ? null
    : await startEmbedded({ name: 'store', dataDirectory: join(config.data_dir, 'store') });
  try {
    const store = await openStore({
      dsn: config.store_url ?? embedded?.dsn('postgres') ?? '',
      secretKey: await secretKey(config),
      logger,
    });
    try {
      await store.migrate();
    } catch (error) {
      await store.close();
      throw error;
    }
    return { store, embedded };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}

/** Starts everything; what had been started is stopped again when a later step fails. */
export async function startService(config: Config, logger: Logger): Promise<RunningService> {
  const { store, embedded } = await openConfiguredStore(config, logger);
  const closers: (() => Promise<unknown>)[] = [async () => embedded?.stop(), () => store.close()];
  const closeAll = async () => {
    for (const close of closers.reverse()) await close();
  };
  try {
    const token = await apiToken(config);
    const services: Services = {
      store,
      logger,
      rules: await loadRules(),
      now: () => new Date(),
      environmentVariable,
      column_ends: config.column_ends,
      measure_bloat_bytes: config.measure_bloat_bytes,
      twin: config.twin,
      background: new BackgroundWork(),
    };
    closers.push(async () => {
      const left = await services.background.stop(config.stop_within_ms);
      if (left > 0) logger.warn({ left }, 'did not end in time and was cut off; the next start takes it up');
    });
    // A stop may have left applies open: they come first, before anybody can start new ones.
    await recoverApplies(services, STARTING_MS);
    await store.analyses.abandonRunning();

    const app = createApp({
      services,
      token_hash: token.hash,
      tokens: config.tokens,
      version: packageVersion,
    });
    const { url, close } = await listen(app.fetch, config);
    closers.push(close);
    if (config.jobs.enabled) closers.push(startJobs(services, config));
    // First of all: what is at work tidies up while jobs come to their end, and a stream of an apply's events ends with
    // the service, else the server would wait for it as long as a build takes.
    closers.push(async () => services.background.tell());
    return { url, fresh_token: token.fresh, services, stop: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Binds the HTTP server; a port that is taken is said in words. */
function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  config: Config,
): Promise<{ url: string; close: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname: config.host, port: config.port }, (info) => {
      const host = info.family === 'IPv6' ? `[${info.address}]` : info.address;
      resolve({
        url: `http://${host}:${info.port}`,
        close: () =>
          new Promise((done) => {
            const late = setTimeout(() => {
              if ('closeAllConnections' in server) server.closeAllConnections();
            }, REQUESTS_WITHIN_MS);
            server.close(() => {
              clearTimeout(late);
              done();
            });
            if ('closeIdleConnections' in server) server.closeIdleConnections();
          }),
      });
    });
    server.on('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new PgLuthierError({
          code: 'listen_failed',
          status: 500,
          message: `Cannot listen on ${config.host}:${config.port}: ${cause.code ?? 'unknown reason'}.`,
          remedy: 'Set PGLUTHIER_PORT to a free port, or stop what uses it.',
          cause,
        }),
      );
    });
  });
}
