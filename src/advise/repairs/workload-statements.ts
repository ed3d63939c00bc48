/** The workload's statements made ready for a planner, once for all rules that ask what a drop or statistics would do. */
import type { RuleContext } from '../../domain/index.ts';
import { usageCatalog } from '../../workload/index.ts';
import { type AdvisorStatement, prepareStatement } from '../index-advisor/statement.ts';

const prepared = new WeakMap<RuleContext, Promise<AdvisorStatement[]>>();

/** Those that could be prepared; index/missing names the others with the reason. */
export function workloadStatements(context: RuleContext): Promise<AdvisorStatement[]> {
  const known = prepared.get(context);
  if (known) return known;
  const statements = prepareAll(context);
  prepared.set(context, statements);
  return statements;
}

async function prepareAll({ workload, snapshot }: RuleContext): Promise<AdvisorStatement[]> {
  const catalog = await usageCatalog(snapshot);
  const all: AdvisorStatement[] = [];
  for (const query of workload.queries) {
    const statement = await prepareStatement(query, snapshot, catalog);
    if ('samples' in statement) all.push(statement);
  }
  return all;
}
