/**
 * Runs an apply and kills itself, as kill -9 would, at one call of the journal:
 * `chaos-process.ts <dsn> <apply id> <journal> <plan> <intend|settle> <n-th call> <before|after>`.
 */
import { executePlan } from '../../src/apply/index.ts';
import type { ApplyPlan, Journal } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { fileJournal } from './journal.ts';

const [dsn = '', applyId = '', path = '', plan = '', method = '', call = '', moment = ''] =
  process.argv.slice(2);

const inner = fileJournal(path);
const calls = { intend: 0, settle: 0 };

async function around<T>(name: 'intend' | 'settle', work: () => Promise<T>): Promise<T> {
  calls[name] += 1;
  const here = name === method && calls[name] === Number(call);
  if (here && moment === 'before') process.kill(process.pid, 'SIGKILL');
  const result = await work();
  if (here && moment === 'after') process.kill(process.pid, 'SIGKILL');
  return result;
}

const journal: Journal = {
  intend: (entry) => around('intend', () => inner.intend(entry)),
  settle: (step, outcome) => around('settle', () => inner.settle(step, outcome)),
  entries: () => inner.entries(),
};

await executePlan(JSON.parse(plan) as ApplyPlan, {
  dsn,
  apply_id: applyId,
  openSession: openTarget,
  journal,
  onProgress: () => {},
});
