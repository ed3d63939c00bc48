/** One embedded server: start, restart, stop. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm, unlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { PgLuthierError } from '../domain/index.ts';
import { serverAccount } from './account.ts';
import { binDirectory } from './binaries.ts';
import { type Cluster, persistentCluster, temporaryCluster, writeSettings } from './cluster.ts';
import { createRunDirectory, sweepOrphans } from './run-directory.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';

export interface EmbeddedOptions {
  /** Major version; default 18. */
  major?: number;
  /** Data directory that stays and is reused; absent: a throwaway one, removed on stop. */
  dataDirectory?: string;
  /** Lines of postgresql.conf. ALTER SYSTEM overrides them. */
  settings?: Record<string, string>;
  /** `socket` (default): a private Unix socket only. `tcp`: 127.0.0.1 and a free port besides. */
  listen?: 'socket' | 'tcp';
  /** In place of the default encoding and locale arguments of initdb. */
  initdbArgs?: string[];
  /** For people who look at what runs. */
  name?: string;
}

export interface EmbeddedServer {
  readonly major: number;
  /** E.g. `18.4`. */
  readonly version: string;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly port: number;
  readonly pid: number;
  readonly superuser: string;
  /** Holds the password: never print it. */
  dsn(database?: string): string;
  /** Stops fast and starts again, same port and data. */
  restart(): Promise<void>;
  /** Idempotent. Throwaway data is removed. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
}

const SUPERUSER = 'postgres';
const BOOT_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const TCP_ATTEMPTS = 5;

/** A throwaway server may lose its data with the machine: it is made anew anyway. */
const THROWAWAY_SETTINGS = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' };

/**
 * Starts a server and returns once it answers. It ends with this process, however that ends.
 * @throws PgLuthierError `embedded_boot_failed` with the end of the server's log, and those of binaries and cluster.
 */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const major = options.major ?? 18;
  const name = options.name ?? 'embedded';
  const account = serverAccount();
  const bin = await binDirectory(major);
  await sweepOrphans();
  const runDirectory = await createRunDirectory(name, account);
  try {
    const cluster = options.dataDirectory
      ? await persistentCluster(bin, major, options.dataDirectory, name, account, options.initdbArgs)
      : await temporaryCluster(bin, major, runDirectory, account, options.initdbArgs);
    const server = new Server(major, bin, runDirectory, cluster, options);
    await server.boot();
    return server;
  } catch (error) {
    await rm(runDirectory, { recursive: true, force: true });
    throw error;
  }
}

class Server implements EmbeddedServer {
  readonly major: number;
  readonly superuser = SUPERUSER;
  readonly #bin: string;
  readonly #runDirectory: string;
  readonly #cluster: Cluster;
  readonly #options: EmbeddedOptions;
  #port = 5432;
  #version = '';
  #child: ChildProcess | null = null;
  #watchdog: Watchdog | null = null;
  #stopping: Promise<void> | null = null;

  constructor(major: number, bin: string, runDirectory: string, cluster: Cluster, options: EmbeddedOptions) {
    this.major = major;
    this.#bin = bin;
    this.#runDirectory = runDirectory;
    this.#cluster = cluster;
    this.#options = options;
  }

  get version(): string {
    return this.#version;
  }
  get dataDirectory(): string {
    return this.#cluster.dataDirectory;
  }
  get socketDirectory(): string {
    return join(this.#runDirectory, 's');
  }
  get port(): number {
    return this.#port;
  }
  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  dsn(database = 'postgres'): string {
    const password = encodeURIComponent(this.#cluster.password);
    const path = encodeURIComponent(database);
    return this.#options.listen === 'tcp'
      ? `postgresql://${SUPERUSER}:${password}@127.0.0.1:${this.#port}/${path}`
      : `postgresql://${SUPERUSER}:${password}@localhost:${this.#port}/${path}?host=${encodeURIComponent(this.socketDirectory)}`;
  }

  /** First start: with TCP the free port may be taken between our look and the server's, so it is tried again. */
  async boot(): Promise<void> {
    await writeSettings(
      this.dataDirectory,
      {
        timezone: 'UTC',
        log_timezone: 'UTC',
        unix_socket_permissions: '0700',
        ...(this.#options.dataDirectory ? {} : THROWAWAY_SETTINGS),
        ...this.#options.settings,
      },
      serverAccount(),
    );
    for (let attempt = 1; ; attempt += 1) {
      if (this.#options.listen === 'tcp') this.#port = await freePort();
      try {
        await this.#start();
        return;
      } catch (error) {
        const portTaken = error instanceof PgLuthierError && error.message.includes('Address already in use');
        if (!portTaken || this.#options.listen !== 'tcp' || attempt >= TCP_ATTEMPTS) throw error;
      }
    }
  }

  async restart(): Promise<void> {
    await this.#end('fast');
    await this.#start();
  }

  stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    this.#stopping ??= this.#end(mode).then(async () => {
      await rm(this.#runDirectory, { recursive: true, force: true });
      if (this.#options.dataDirectory) await unlink(join(this.dataDirectory, 'owner.json'));
    });
    return this.#stopping;
  }

  async #start(): Promise<void> {
    const log = openSync(join(this.#runDirectory, 'log'), 'a', 0o600);
    const child = spawn(
      join(this.#bin, 'postgres'),
      [
        '-D',
        this.dataDirectory,
        '-k',
        this.socketDirectory,
        '-p',
        String(this.#port),
        '-c',
        `listen_addresses=${this.#options.listen === 'tcp' ? '127.0.0.1' : ''}`,
      ],
      {
        ...(serverAccount() ?? {}),
        cwd: '/',
        // Its own session: Ctrl-C reaches us, and we stop it in order.
        detached: true,
        stdio: ['ignore', log, log],
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      },
    );
    closeSync(log);
    child.unref();
    this.#child = child;
    const temporary = this.#options.dataDirectory ? null : this.#runDirectory;
    this.#watchdog = startWatchdog(this.dataDirectory, temporary ?? this.#runDirectory);
    const ended = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) =>
        reject(new Error(`the server ended (${signal ?? `exit code ${code}`})`)),
      );
    });
    ended.catch(() => {});
    try {
      this.#version = await Promise.race([this.#answer(), ended]);
    } catch (cause) {
      await this.#end('immediate');
      throw await this.#bootFailure(cause);
    }
  }

  /** Waits until the server takes connections; its version. */
  async #answer(): Promise<string> {
    const until = Date.now() + BOOT_TIMEOUT_MS;
    for (;;) {
      const client = new pg.Client({ connectionString: this.dsn(), connectionTimeoutMillis: 5000 });
      client.on('error', () => {});
      try {
        await client.connect();
        const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
        await client.end();
        return rows[0]?.server_version ?? '';
      } catch (error) {
        await client.end().catch(() => {});
        if (Date.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async #bootFailure(cause: unknown): Promise<PgLuthierError> {
    const log = await readFile(join(this.#runDirectory, 'log'), 'utf8').catch(() => '');
    const tail = log.trim().split('\n').slice(-6).join('\n');
    return new PgLuthierError({
      code: 'embedded_boot_failed',
      status: 500,
      message: `PostgreSQL ${this.major} did not start. Its log ends with:\n${tail || String(cause)}`,
      remedy: 'The last FATAL line says why; a setting of the start may be illegal.',
      cause,
    });
  }

  async #end(mode: 'fast' | 'immediate'): Promise<void> {
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.ref();
      child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
      const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    }
    this.#child = null;
    this.#watchdog?.dismiss();
    this.#watchdog = null;
  }
}

/** A port of 127.0.0.1 that nobody uses at this moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
