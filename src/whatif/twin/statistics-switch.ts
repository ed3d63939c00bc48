/** Which statistics are in force, of those that are not there on the target. */
import type pg from 'pg';
import {
  PgLuthierError,
  type Snapshot,
  type StatisticsContents,
  type StatisticsDefinition,
} from '../../domain/index.ts';
import type { EmbeddedServer } from '../../embedded/index.ts';
import { OWNER_ROLE, withSession } from './session.ts';
import {
  makeLowerTarget,
  makeStatistics,
  type StatisticsCandidate,
  switchStatistics,
} from './statistics-candidate.ts';

export class StatisticsSwitch {
  readonly #server: EmbeddedServer;
  readonly #admin: pg.Client;
  readonly #snapshot: Snapshot;
  readonly #candidates = new Map<string, StatisticsCandidate>();
  #on: ReadonlySet<string> = new Set();

  constructor(server: EmbeddedServer, admin: pg.Client, snapshot: Snapshot) {
    this.#server = server;
    this.#admin = admin;
    this.#snapshot = snapshot;
  }

  /** @throws PgLuthierError `statistics_refused`. */
  add(definition: StatisticsDefinition, contents: StatisticsContents): Promise<string> {
    return this.#make((owner, number) => makeStatistics(this.#sides(owner), definition, contents, number));
  }

  /** @throws PgLuthierError `statistics_refused`, `statistics_target_not_simulated`. */
  lower(column: { schema: string; table: string; column: string }, target: number): Promise<string> {
    return this.#make((owner, number) => makeLowerTarget(this.#sides(owner), column, target, number));
  }

  /** @throws PgLuthierError `candidate_unknown`, `statistics_conflict`. */
  async to(handles: readonly string[]): Promise<void> {
    const wanted = new Set(handles);
    const changed = [
      ...[...this.#on].filter((handle) => !wanted.has(handle)),
      ...[...wanted].filter((handle) => !this.#on.has(handle)),
    ];
    if (changed.length === 0) return;
    const candidates = [...wanted].map((handle) => this.#known(handle));
    const places = new Set(candidates.map(({ kind, key, attnum }) => `${kind} ${key} ${attnum}`));
    if (places.size < candidates.length) {
      throw new PgLuthierError({
        code: 'statistics_conflict',
        status: 422,
        message: 'Two of the statistics are of the same column: only one target can be in force.',
      });
    }
    const changing = changed.map((handle) => this.#known(handle));
    await switchStatistics(this.#admin, this.#server.major, changing);
    this.#on = wanted;
  }

  #known(handle: string): StatisticsCandidate {
    const candidate = this.#candidates.get(handle);
    if (candidate) return candidate;
    throw new PgLuthierError({
      code: 'candidate_unknown',
      status: 422,
      message: `No statistics ${handle} were made.`,
    });
  }

  /** What is in force stays so: a new one is made beside. */
  async #make(make: (owner: pg.Client, number: number) => Promise<StatisticsCandidate>): Promise<string> {
    const number = this.#candidates.size + 1;
    // Made only here: most runs ask about no statistics.
    const candidate = await withSession(this.#server, OWNER_ROLE, (owner) => make(owner, number));
    const handle = `statistics_${number}`;
    this.#candidates.set(handle, candidate);
    return handle;
  }

  #sides(owner: pg.Client) {
    return { admin: this.#admin, owner, snapshot: this.#snapshot, major: this.#server.major };
  }
}
