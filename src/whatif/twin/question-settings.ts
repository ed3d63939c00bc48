/** Planner settings that a question sets, over those of the target and of any role. */
import pg from 'pg';
import { PgLuthierError, quoteIdentifier } from '../../domain/index.ts';
import type { RoleSettings } from './role-settings.ts';
import { isPlannerSetting } from './settings.ts';

type Settings = Readonly<Record<string, string>>;

export class QuestionSettings {
  #inForce: Settings = {};
  readonly #planners: readonly pg.Client[];
  readonly #roles: RoleSettings;

  constructor(planners: readonly pg.Client[], roles: RoleSettings) {
    this.#planners = planners;
    this.#roles = roles;
  }

  get inForce(): Settings {
    return this.#inForce;
  }

  /**
   * Sets what differs in all sessions.
   * @throws PgLuthierError `setting_not_simulated`: no planner reads it, or it would change what a session may do;
   * `setting_refused`: PostgreSQL does not take the value. The sessions are then as they were.
   */
  async to(wanted: Settings): Promise<void> {
    const names = Object.keys(wanted);
    const strange = names.find((name) => !isPlannerSetting(name));
    if (strange !== undefined) {
      throw new PgLuthierError({
        code: 'setting_not_simulated',
        status: 422,
        message: `${strange} is no setting that the planner reads: nothing would change.`,
      });
    }
    const before = this.#inForce;
    if (names.length === 0 && Object.keys(before).length === 0) return;
    // No session is a role's while that changes.
    for (const planner of this.#planners) await this.#roles.apply(planner, null, before);
    try {
      await this.#change(before, wanted);
    } catch (cause) {
      if (!(cause instanceof pg.DatabaseError)) throw cause;
      // All of them: how far the change came is not known. What was in force was taken before.
      const all = { ...before, ...wanted };
      for (const planner of this.#planners) for (const name of Object.keys(all)) await reset(planner, name);
      await this.#change({}, before);
      throw new PgLuthierError({ code: 'setting_refused', status: 422, message: cause.message, cause });
    }
    this.#inForce = { ...wanted };
  }

  async #change(from: Settings, to: Settings): Promise<void> {
    for (const planner of this.#planners) {
      for (const name of Object.keys(from)) if (!(name in to)) await reset(planner, name);
      for (const [name, value] of Object.entries(to)) {
        if (from[name] !== value) await planner.query('SELECT set_config($1, $2, false)', [name, value]);
      }
    }
  }
}

async function reset(planner: pg.Client, name: string): Promise<void> {
  await planner.query(`RESET ${name.split('.').map(quoteIdentifier).join('.')}`).catch((error: unknown) => {
    // A name that no server knows was never set.
    if (!(error instanceof pg.DatabaseError)) throw error;
  });
}
