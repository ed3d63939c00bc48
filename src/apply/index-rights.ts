/** What index DDL asks of this role. */
import type { Drift } from './drift.ts';
import type { Relation } from './relation.ts';

export function notOwned(table: string, relation: Relation): Drift {
  return {
    code: 'not_owner',
    message: `This role has not the rights of ${relation.owner}, who owns ${table}; grant it that role's membership.`,
  };
}

/** What CREATE INDEX asks of this role. */
export function mayIndex(relation: Relation, table: string): Drift[] {
  const drift: Drift[] = [];
  if (!relation.owned) drift.push(notOwned(table, relation));
  if (!relation.may_create_in_schema) {
    drift.push({
      code: 'missing_schema_create',
      message: `This role may not create in the schema of ${table}; an index needs GRANT CREATE ON SCHEMA.`,
    });
  }
  return drift;
}
