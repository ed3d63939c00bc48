/**
 * Every wait for a lock that took longer than a millisecond, by the server's own log: with log_lock_waits each is told
 * once after deadlock_timeout, with who holds the lock and who queues before it, and again with its whole length when it
 * ends (ProcSleep(), proc.c). Nothing is sampled, so that nothing can be missed.
 */
import pg from 'pg';

const FILE = 'log/waits.log';

/** Settings of a server whose log is read so. */
export const LOCK_WAIT_SETTINGS: Record<string, string> = {
  log_lock_waits: 'on',
  deadlock_timeout: '1ms',
  logging_collector: 'on',
  log_directory: 'log',
  log_filename: 'waits.log',
  log_line_prefix: '%p|%a|%d|%n|',
};

export interface LockWait {
  pid: number;
  application: string;
  database: string;
  /** As pg_locks has it, e.g. `RowExclusiveLock`. */
  mode: string;
  /** As the log names it, e.g. `relation 16391 of database 16384`. */
  object: string;
  /** ms, from the request to the grant, or to giving up. */
  ms: number;
  /** Processes that held the lock, and those that queued before it, when it had waited for a millisecond. */
  holders: number[];
  ahead: number[];
  granted: boolean;
}

/** What PostgreSQL lets stand beside each other (LockConflicts, lock.c): of each mode, those that it conflicts with. */
const MODES = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
];
const CONFLICTS = [
  [7],
  [6, 7],
  [4, 5, 6, 7],
  [3, 4, 5, 6, 7],
  [2, 3, 5, 6, 7],
  [2, 3, 4, 5, 6, 7],
  [1, 2, 3, 4, 5, 6, 7],
  [0, 1, 2, 3, 4, 5, 6, 7],
];

export const conflict = (a: string, b: string): boolean =>
  CONFLICTS[MODES.indexOf(a)]?.includes(MODES.indexOf(b)) ?? true;

const LINE = /^(\d+)\|([^|]*)\|([^|]*)\|(\d+\.\d+)\|(\w+): {2}(.*)$/;
const WAIT =
  /^process \d+ (still waiting for|acquired|avoided deadlock for|detected deadlock while waiting for|failed to acquire) (\w+) on (.*?)(?: by rearranging queue order)? after (\d+\.\d+) ms(?: at character \d+)?$/;
const QUEUE = /^Process(?:es)? holding the lock: (.*?)\. Wait queue: (.*?)\.$/;

const pids = (list: string) => list.split(', ').map(Number).filter(Number.isInteger);

/** All waits in a log of these settings, in the order of their ends; those that have not ended are left out. */
export function lockWaits(log: string): LockWait[] {
  const open = new Map<number, LockWait & { since: number }>();
  const waits: LockWait[] = [];
  const end = (pid: number, ms: number, granted: boolean) => {
    const wait = open.get(pid);
    open.delete(pid);
    if (!wait) return;
    const { since: _, ...rest } = wait;
    waits.push({ ...rest, ms, granted });
  };
  for (const line of log.split('\n')) {
    const [, process = '', application = '', database = '', at = '', level, text = ''] =
      LINE.exec(line) ?? [];
    const pid = Number(process);
    const now = Number(at) * 1000;
    const [, what, mode = '', object = '', after = ''] = WAIT.exec(text) ?? [];
    const ms = Number(after);
    if (level === 'LOG' && what === 'acquired') end(pid, ms, true);
    else if (level === 'LOG' && what !== undefined) {
      const since = now - ms;
      open.set(pid, {
        pid,
        application,
        database,
        mode,
        object,
        ms,
        holders: [],
        ahead: [],
        granted: false,
        since,
      });
    } else if (level === 'DETAIL') {
      const [, holding = '', queue = ''] = QUEUE.exec(text) ?? [];
      const wait = open.get(pid);
      const ahead = pids(queue);
      if (wait) Object.assign(wait, { holders: pids(holding), ahead: ahead.slice(0, ahead.indexOf(pid)) });
    } else if (level === 'ERROR' || level === 'FATAL') {
      const wait = open.get(pid);
      if (wait) end(pid, now - wait.since, false);
    }
  }
  return waits;
}

/**
 * Those of `waits` that are ours to answer for: our session held the lock in a mode that conflicts, queued before it, or
 * somebody who queued before it waited on us.
 * @param ours the strongest mode that a session takes, when it is ours; null: it is not.
 */
export function waitsOn(waits: readonly LockWait[], ours: (pid: number) => string | null): LockWait[] {
  const of = new Map<number, LockWait[]>();
  for (const wait of waits) of.set(wait.pid, [...(of.get(wait.pid) ?? []), wait]);
  const known = new Map<LockWait, boolean>();
  const isOn = (wait: LockWait): boolean => {
    const before = known.get(wait);
    if (before !== undefined) return before;
    known.set(wait, false);
    const blocks = (pid: number) => {
      const mode = ours(pid);
      return mode !== null && conflict(mode, wait.mode);
    };
    const behind = wait.ahead.flatMap((pid) => of.get(pid) ?? []);
    const found =
      wait.holders.some(blocks) ||
      wait.ahead.some(blocks) ||
      behind.some((other) => other.object === wait.object && conflict(other.mode, wait.mode) && isOn(other));
    known.set(wait, found);
    return found;
  };
  return waits.filter(isOn);
}

/** The server's log from `since` on, whole: a mark of our own at its end tells that all before it is there. */
export async function readLog(dsn: string, since = 0): Promise<{ text: string; end: number }> {
  const client = new pg.Client({ connectionString: dsn, application_name: 'log reader' });
  await client.connect();
  try {
    const mark = `log is read to here ${process.hrtime.bigint()}`;
    await client.query(`DO $$ BEGIN RAISE LOG '${mark}'; END $$`);
    for (;;) {
      const { rows } = await client.query<{ text: Buffer }>(
        'SELECT pg_read_binary_file($1, $2, 1000000000) AS text',
        [FILE, since],
      );
      const text = rows[0]?.text ?? Buffer.alloc(0);
      if (text.includes(`LOG:  ${mark}`)) return { text: text.toString(), end: since + text.length };
    }
  } finally {
    await client.end();
  }
}
