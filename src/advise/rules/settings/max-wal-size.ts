/** max_wal_size from memory, and from checkpoints that came too early. */
import type { Rule } from '../../../domain/index.ts';
import { baselineOf, hostInputs, measured } from '../../settings/facts.ts';
import { limited, propose } from '../../settings/propose.ts';

const ID = 'settings/max-wal-size';
/** Above this share of requested checkpoints, WAL is what triggers them. */
const REQUESTED_SHARE = 0.1;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'max_wal_size makes checkpoints come too early',
  description:
    'A quarter of RAM between 1GB and 16GB. Observed where more than a tenth of the checkpoints since their counting ' +
    'began were requested rather than timed. It takes that much disk, and recovery after a crash takes longer.',
  evaluate: (context) => {
    const host = hostInputs(context, ID);
    if ('code' in host) return limited(host);
    const { baseline } = baselineOf(context, host);
    const { checkpoints } = context.snapshot.counters;
    const all = checkpoints ? checkpoints.timed + checkpoints.requested : 0;
    const share = checkpoints && all > 0 ? checkpoints.requested / all : null;
    const observed = share !== null && all >= 5 && share > REQUESTED_SHARE;
    return propose(context, {
      rule: ID,
      name: 'max_wal_size',
      value: baseline.max_wal_size.value,
      formula: baseline.max_wal_size.formula,
      why: observed
        ? `${(100 * share).toFixed(0)} % of the checkpoints were requested: WAL filled up before their time, and each writes full pages anew.`
        : 'More room for WAL spaces checkpoints out under a burst of writes.',
      severity: observed ? 'medium' : 'low',
      confidence: observed ? 0.85 : 0.5,
      direction: 'raise',
      observed,
      evidence: [
        ...host.evidence,
        ...(checkpoints
          ? [
              measured(
                'checkpoints requested',
                checkpoints.requested,
                null,
                'pg_stat_checkpointer / pg_stat_bgwriter',
              ),
              measured(
                'checkpoints timed',
                checkpoints.timed,
                null,
                'pg_stat_checkpointer / pg_stat_bgwriter',
              ),
            ]
          : []),
      ],
    });
  },
};
