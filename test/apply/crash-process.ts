/** Runs an apply in a process of its own that a test can kill: `crash-process.ts <dsn> <apply id> <journal> <plan>`. */

import { executePlan } from '../../src/apply/index.ts';
import type { ApplyPlan } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { fileJournal } from './journal.ts';

const [dsn = '', applyId = '', journalPath = '', plan = ''] = process.argv.slice(2);

const outcome = await executePlan(JSON.parse(plan) as ApplyPlan, {
  dsn,
  apply_id: applyId,
  openSession: openTarget,
  journal: fileJournal(journalPath),
  onProgress: () => {},
});
process.stdout.write(JSON.stringify(outcome));
