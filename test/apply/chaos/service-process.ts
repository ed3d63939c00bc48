/**
 * A service that works on several applies at once and is killed, as by kill -9, when all have come to their points:
 * `service-process.ts <file with runs> <act>`. Without a point it works on until somebody else kills it. A recovery may
 * end before its point: it has less to do than the journal has calls.
 */
import { readFileSync } from 'node:fs';
import { fileJournal } from '../journal.ts';
import { perform } from './act.ts';
import type { Act } from './kill.ts';
import { stoppingAt } from './points.ts';
import type { Run } from './round.ts';

const runs = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Run[];
const act = process.argv[3] as Act;

let arrived = 0;
function arrive(): Promise<never> {
  arrived += 1;
  if (arrived === runs.length) process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

await Promise.all(
  runs.map(async (run) => {
    const outcome = await perform(act, run, stoppingAt(fileJournal(run.journal), run.point, arrive));
    if (act === 'recover') {
      process.stdout.write(`${run.apply_id}\n`);
      return arrive();
    }
    // It ended without ever coming to its point: the test is to see that.
    process.stderr.write(`${run.subject} ended: ${JSON.stringify(outcome)}\n`);
    process.exit(3);
  }),
);
