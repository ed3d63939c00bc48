/** A batch of settings that only a restart brings into force, stopped dead at a call of its journals. */
import {
  applySettingBatch,
  type BatchOutcomes,
  buildPlan,
  recoverSettingBatch,
} from '../../../src/apply/index.ts';
import type { ApplyPlan, Journal } from '../../../src/domain/index.ts';
import { openTarget } from '../../../src/target/index.ts';
import { fileJournal } from '../journal.ts';
import type { Act } from './kill.ts';
import { type Point, stoppingAt } from './points.ts';

/** In force when a round begins. The last one stands in postgresql.auto.conf. */
export const BEFORE = { max_worker_processes: '8', wal_buffers: '1MB', shared_buffers: '20MB' };
const WANTED: typeof BEFORE = {
  max_worker_processes: '12',
  wal_buffers: '2MB',
  shared_buffers: '24MB',
};
type Name = keyof typeof BEFORE;
export const NAMES = Object.keys(BEFORE) as Name[];
export const ENTRY: Name = 'shared_buffers';

/** Plain data, for another process to read. */
export interface BatchRun {
  dsn: string;
  batch_id: string;
  /** `journal`: a file. */
  applies: { apply_id: string; plan: ApplyPlan; journal: string }[];
  /** Counted over the journals of all members. Null: none. */
  point: Point | null;
}

export const planOf = (name: Name): ApplyPlan =>
  buildPlan({
    kind: 'setting',
    name,
    value: WANTED[name],
    current_value: BEFORE[name],
    context: 'postmaster',
  });

export const wantedOf = (name: Name): string => WANTED[name];

export function performBatch(
  act: Act,
  { dsn, batch_id, applies, point }: BatchRun,
  arrive: () => Promise<void>,
): Promise<BatchOutcomes | null> {
  // One count for all of them: the point is the batch's.
  let inner: Journal = fileJournal(applies[0]?.journal ?? '');
  const counted = stoppingAt(
    {
      intend: (entry) => inner.intend(entry),
      settle: (step, outcome) => inner.settle(step, outcome),
      entries: () => inner.entries(),
    },
    point,
    arrive,
  );
  const journalOf = (path: string): Journal => {
    const own = fileJournal(path);
    const through =
      <A extends unknown[], T>(work: (...given: A) => Promise<T>) =>
      (...given: A): Promise<T> => {
        inner = own;
        return work(...given);
      };
    return {
      intend: through(counted.intend),
      settle: through(counted.settle),
      entries: () => own.entries(),
    };
  };
  const options = {
    dsn,
    batch_id,
    applies: applies.map((one) => ({ ...one, journal: journalOf(one.journal) })),
    openSession: openTarget,
  };
  return act === 'apply' ? applySettingBatch(options) : recoverSettingBatch(options);
}
