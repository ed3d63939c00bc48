/** Starting, watching, restarting and stopping one embedded server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { PgLuthierError } from '../domain/index.ts';
import type { Account } from './account.ts';
import { freePort, scramVerifier, socketDsn, tcpDsn } from './address.ts';
import { SERVER_ENVIRONMENT, writeSettings } from './cluster.ts';
import type { Installation } from './installations.ts';
import { logTail } from './log.ts';
import type { Claim } from './owner.ts';
import { disarmStalePid, type StopMode, stopPid } from './postmaster.ts';
import type { Scratch } from './scratch.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';

export const SUPERUSER = 'postgres';
const SOCKET_PORT = 5432;
const START_ATTEMPTS = 5;
/** A persistent server may have to replay its log after a crash. */
const READY_MS = { temporary: 60_000, persistent: 600_000 };

/**
 * Commits write their log, which without fsync costs next to nothing. With synchronous_commit off rows would count as
 * committed only once the log writer comes by (SetHintBits() of heapam_visibility.c): a VACUUM right after a load would
 * leave pages that are not all-visible, and plans of the same tables would hang on some milliseconds.
 */
const TEMPORARY_SETTINGS = { fsync: 'off', full_page_writes: 'off' };
/** A week of logs, each day's file overwritten a week later. */
const PERSISTENT_SETTINGS = {
  logging_collector: 'on',
  log_directory: 'log',
  log_filename: 'postgresql-%a.log',
  log_truncate_on_rotation: 'on',
  log_rotation_age: '1d',
};

export interface EmbeddedOptions {
  /** Major version; 18 where not given. */
  major?: number;
  /** What to start it from, of that major; the npm package where not given. */
  installation?: Installation;
  /** A persistent cluster, made if absent and kept on stop. Without it a temporary one, removed on stop. */
  dataDirectory?: string;
  /**
   * A temporary cluster that will hold little: it is copied from one that initdb made before (all have the same system
   * identifier). `memory`: its files lie in memory where there is plenty.
   */
  light?: 'memory' | 'disk';
  /** For postgresql.conf; over our own defaults. */
  settings?: Record<string, string>;
  /** `socket` (default): only a socket in a private directory. `tcp`: also 127.0.0.1, a free port, a password. */
  listen?: 'socket' | 'tcp';
  /** Further arguments of initdb; where they choose a locale, ours is not set. */
  initdbArgs?: string[];
  /** Appears in the name of the scratch folder, for people who look around. */
  name?: string;
}

/** A running server that ends with this process at the latest. */
export interface EmbeddedServer {
  readonly major: number;
  /** E.g. `18.4`. */
  readonly version: string;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly port: number;
  /** Process id of the postmaster; another one after a restart. */
  readonly pid: number;
  readonly superuser: string;
  /** For `new pg.Client({ connectionString })` and libpq; `postgres` where no database is named. */
  dsn(database?: string): string;
  /** Stops in order and starts again; `whileDown` runs in between, when nothing of the files is in memory. */
  restart(whileDown?: () => Promise<void>): Promise<void>;
  stop(mode?: StopMode): Promise<void>;
}

export interface ServerParts {
  options: EmbeddedOptions;
  major: number;
  bin: string;
  account: Account | null;
  scratch: Scratch;
  /** The claim on a persistent directory. */
  claimed: Claim | null;
  dataDirectory: string;
}

/** Everything that belongs to one server while it runs. */
export class Server implements EmbeddedServer {
  readonly major: number;
  readonly superuser = SUPERUSER;
  readonly dataDirectory: string;
  version = '';
  port = SOCKET_PORT;
  private readonly options: EmbeddedOptions;
  private readonly bin: string;
  private readonly account: Account | null;
  private readonly scratch: Scratch;
  private readonly claimed: Claim | null;
  private readonly watchdog: Watchdog;
  private readonly password = randomBytes(24).toString('base64url');
  private child: ChildProcess | null = null;
  private stopping: Promise<void> | null = null;

  constructor(parts: ServerParts) {
    this.options = parts.options;
    this.major = parts.major;
    this.bin = parts.bin;
    this.account = parts.account;
    this.scratch = parts.scratch;
    this.claimed = parts.claimed;
    this.dataDirectory = parts.dataDirectory;
    this.watchdog = startWatchdog(
      parts.dataDirectory,
      this.persistent ? 'fast' : 'immediate',
      parts.scratch.directory,
    );
  }

  private get persistent(): boolean {
    return this.options.dataDirectory !== undefined;
  }

  get socketDirectory(): string {
    return this.scratch.socket;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  dsn(database = 'postgres'): string {
    if (this.options.listen === 'tcp') return tcpDsn(this.port, SUPERUSER, this.password, database);
    return socketDsn(this.scratch.socket, this.port, SUPERUSER, database);
  }

  /** Boots the server and waits until it answers; another port where a stranger took ours in between. */
  async boot(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      if (this.options.listen === 'tcp' && this.version === '') this.port = await freePort();
      await writeSettings(this.dataDirectory, this.settings());
      await disarmStalePid(this.dataDirectory);
      const failure = await this.launch();
      if (failure === null) return;
      const log = await logTail(this.dataDirectory, this.scratch.log);
      // Backends of a server whose postmaster was killed end by themselves, soon.
      const transient = /pre-existing shared memory block|could not bind|Address already in use/.test(log);
      if (!transient || attempt === START_ATTEMPTS) {
        throw new PgLuthierError({
          code: 'embedded_start_failed',
          status: 500,
          message: `PostgreSQL ${this.major} did not start (${failure}). The end of its log:\n${log}`,
          remedy: 'The log names the reason, usually a setting, rights, memory, or disk space.',
        });
      }
      await sleep(500 * attempt);
    }
  }

  private settings(): Record<string, string> {
    return {
      timezone: 'UTC',
      log_timezone: 'UTC',
      lc_messages: 'C',
      ...(this.persistent ? PERSISTENT_SETTINGS : TEMPORARY_SETTINGS),
      ...this.options.settings,
      port: String(this.port),
      unix_socket_directories: this.scratch.socket,
      listen_addresses: this.options.listen === 'tcp' ? '127.0.0.1' : '',
    };
  }

  /** Null when the server answers; else why it does not, its process ended. */
  private async launch(): Promise<string | null> {
    const log = openSync(this.scratch.log, 'a', 0o600);
    const child = spawn(`${this.bin}/postgres`, ['-D', this.dataDirectory], {
      ...(this.account ?? {}),
      cwd: '/',
      // Its own session: a Ctrl-C in our terminal is ours to handle.
      detached: true,
      env: SERVER_ENVIRONMENT,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    let ended: string | null = null;
    child.on('error', (error) => {
      ended = error.message;
    });
    child.on('exit', (code, signal) => {
      ended = signal === null ? `exit code ${code}` : `signal ${signal}`;
    });
    child.unref();
    this.child = child;
    if (child.pid !== undefined) this.watchdog.guard(child.pid);
    const deadline = Date.now() + READY_MS[this.persistent ? 'persistent' : 'temporary'];
    for (;;) {
      const answer = await this.probe();
      if (answer === null) return null;
      if (ended !== null) return ended;
      if (Date.now() > deadline) {
        if (child.pid !== undefined) await stopPid(child.pid, 'immediate');
        return `no answer in time: ${answer}`;
      }
      await sleep(15);
    }
  }

  /** Null: the server answers. */
  private async probe(): Promise<string | null> {
    const client = new pg.Client({
      connectionString: socketDsn(this.scratch.socket, this.port, SUPERUSER, 'postgres'),
      application_name: 'pgluthier-embedded',
      connectionTimeoutMillis: 5_000,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ version: string }>(
        "/* pgluthier */ select current_setting('server_version') as version",
      );
      this.version = rows[0]?.version.split(' ')[0] ?? '';
      if (this.options.listen === 'tcp') {
        // A verifier, not the password: statements may end up in logs and in pg_stat_statements.
        await client.query(
          `/* pgluthier */ alter role ${SUPERUSER} password '${scramVerifier(this.password)}'`,
        );
      }
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async restart(whileDown?: () => Promise<void>): Promise<void> {
    if (this.child?.pid !== undefined) await stopPid(this.child.pid, 'fast');
    await whileDown?.();
    await this.boot();
  }

  stop(mode: StopMode = this.persistent ? 'fast' : 'immediate'): Promise<void> {
    this.stopping ??= this.end(mode);
    return this.stopping;
  }

  private async end(mode: StopMode): Promise<void> {
    if (this.child?.pid !== undefined) await stopPid(this.child.pid, mode);
    this.watchdog.dismiss();
    await this.scratch.remove();
    await this.claimed?.release();
  }
}
