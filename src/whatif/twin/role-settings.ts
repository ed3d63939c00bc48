/** A statement is planned under the settings that its role's sessions begin with, search_path among them. */
import type pg from 'pg';
import { quoteIdentifier, type Snapshot } from '../../domain/index.ts';
import type { TwinRoles } from './policies.ts';
import { roleSettings } from './settings.ts';

/** What one session has set for a role. */
interface InForce {
  role: string | null;
  values: Readonly<Record<string, string>>;
}

export class RoleSettings {
  readonly #snapshot: Snapshot;
  readonly #roles: TwinRoles;
  readonly #sessions = new WeakMap<pg.Client, InForce>();
  readonly #known = new Map<string, Readonly<Record<string, string>>>();

  /** @param roles what a role is called here, where the twin has row-level security: it is then planned as that. */
  constructor(snapshot: Snapshot, roles: TwinRoles = new Map()) {
    this.#snapshot = snapshot;
    this.#roles = roles;
  }

  /**
   * Sets what differs from what the session has.
   * @param fixed set by the question itself (Configuration.settings): no role's setting replaces it.
   */
  async apply(
    session: pg.Client,
    role: string | null | undefined,
    fixed: Readonly<Record<string, string>>,
  ): Promise<void> {
    const current = this.#sessions.get(session) ?? { role: null, values: {} };
    if (current.role === (role ?? null)) return;
    const wanted = this.#of(role ?? null);
    const names = new Set([...Object.keys(current.values), ...Object.keys(wanted)]);
    for (const name of names) {
      const value = wanted[name];
      if (name in fixed || current.values[name] === value) continue;
      if (value === undefined) await session.query(`RESET ${quoteIdentifier(name)}`);
      else await session.query('SELECT set_config($1, $2, false)', [name, value]);
    }
    this.#sessions.set(session, { role: role ?? null, values: wanted });
  }

  #of(role: string | null): Readonly<Record<string, string>> {
    if (role === null) return {};
    const known = this.#known.get(role);
    if (known) return known;
    const own = this.#roles.get(role);
    const found = { ...roleSettings(this.#snapshot, role), ...(own === undefined ? {} : { role: own }) };
    this.#known.set(role, found);
    return found;
  }
}
