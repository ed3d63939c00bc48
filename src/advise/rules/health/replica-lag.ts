/** Standbys and other receivers that lag behind. */
import { type Found, healthRule } from '../../health/check.ts';
import { MINUTE, size, span } from '../../health/words.ts';
import { measured, setting } from '../../settings/facts.ts';

const MB = 1024 ** 2;
const GB = 1024 * MB;

export const rule = healthRule(
  'replica-lag',
  'A replica lags behind',
  'Seen from the primary: a receiver that has 64 MB of WAL to replay and is 5 minutes behind, or has 1 GB; high from 10 GB. ' +
    'Seen from a standby: WAL is due and the last replayed commit is 5 minutes old (of an idle primary it is old, too, so age ' +
    'alone says nothing); or primary_conninfo is set and no WAL receiver runs.',
  (context) => {
    const { snapshot } = context;
    const { senders, receiver } = snapshot.replication;
    const found: Found[] = senders.flatMap((sender) => {
      const bytes = sender.replay_lag_bytes ?? 0;
      const ms = sender.replay_lag_ms ?? 0;
      // A base backup reads, too, and replays nothing.
      if (sender.state === 'backup' || !(bytes >= GB || (bytes >= 64 * MB && ms >= 5 * MINUTE))) return [];
      return [
        {
          object: `sender ${sender.application_name || sender.user || '?'} ${sender.client_addr ?? 'local'}`,
          title: `${sender.application_name || 'A receiver'} is ${size(bytes)} of WAL behind`,
          rationale:
            'Queries there see old data, a failover to it loses or waits for that much, and a slot keeps the WAL meanwhile.',
          severity: bytes >= 10 * GB ? 'high' : 'medium',
          evidence: [
            measured('not sent', sender.sent_lag_bytes, 'bytes', 'pg_stat_replication.sent_lsn'),
            measured('not flushed there', sender.flush_lag_bytes, 'bytes', 'pg_stat_replication.flush_lsn'),
            measured(
              'not replayed there',
              sender.replay_lag_bytes,
              'bytes',
              'pg_stat_replication.replay_lsn',
            ),
            measured('time behind', sender.replay_lag_ms, 'ms', 'pg_stat_replication.replay_lag'),
            measured('state', sender.state, null, 'pg_stat_replication'),
          ],
          remedy: [
            'Not sent: the network or the receiver. Flushed and not replayed: a query on the standby that replay waits for (max_standby_streaming_delay), or one core that replays all.',
          ],
        },
      ];
    });
    if (!snapshot.server.in_recovery) return { found };
    const age = receiver?.replay_age_ms ?? 0;
    const due = receiver?.received_lag_bytes ?? 0;
    if (receiver && due >= 64 * MB && age >= 5 * MINUTE) {
      found.push({
        object: 'standby',
        title: `This standby replays ${span(age)} behind, ${size(due)} of WAL are due`,
        rationale: 'Queries here see data of that age.',
        severity: due >= 10 * GB ? 'high' : 'medium',
        evidence: [
          measured('age of the last replayed commit', age, 'ms', 'pg_last_xact_replay_timestamp()'),
          measured('WAL that is due', due, 'bytes', 'pg_stat_wal_receiver.latest_end_lsn − replayed'),
        ],
        remedy: ['Look for long queries here (they make replay wait) and at the load of its disk.'],
      });
    }
    const configured = (setting(context, 'primary_conninfo')?.setting ?? '') !== '';
    if (receiver === null && configured) {
      found.push({
        object: 'no receiver',
        title: 'This standby receives no WAL',
        rationale:
          'primary_conninfo is set, and no WAL receiver runs: the primary cannot be reached or refuses, or the standby waits for its archive.',
        severity: 'medium',
        evidence: [measured('WAL receiver', 'none', null, 'pg_stat_wal_receiver')],
        remedy: [
          "The server's log says why the receiver ended. A standby that reads from its archive alone needs no primary_conninfo.",
        ],
      });
    }
    return { found };
  },
);
