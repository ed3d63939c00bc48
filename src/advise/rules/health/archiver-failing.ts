/** WAL that does not get archived. */
import { type Found, healthRule, unseen } from '../../health/check.ts';
import { elapsed, span } from '../../health/words.ts';
import { measured, setting } from '../../settings/facts.ts';

export const rule = healthRule(
  'archiver-failing',
  'WAL is not archived',
  'High where archive_mode is on and the last attempt to archive failed (last_failed_time after last_archived_time in ' +
    'pg_stat_archiver); medium where it is on and neither archive_command nor archive_library says how. On a standby only ' +
    'with archive_mode = always. A failure that was followed by a success is no finding.',
  (context) => {
    const { snapshot } = context;
    const mode = setting(context, 'archive_mode');
    if (mode === undefined) return unseen('archive_mode');
    if (mode.setting === 'off' || (snapshot.server.in_recovery && mode.setting !== 'always')) return {};
    const command = setting(context, 'archive_command')?.setting;
    const library = setting(context, 'archive_library')?.setting ?? '';
    const found: Found[] = [];
    if (command === '' && library === '') {
      found.push({
        object: 'not configured',
        title: 'archive_mode is on, and nothing says how to archive',
        rationale:
          'Without archive_command or archive_library each segment of WAL waits, and pg_wal grows until its disk is full.',
        severity: 'medium',
        evidence: [
          measured('archive_mode', mode.setting, null, 'pg_settings'),
          measured('archive_command', '', null, 'pg_settings'),
        ],
        remedy: [
          'Set archive_command or archive_library (a reload is enough), or archive_mode = off at the next restart.',
        ],
        needs: 'reload',
      });
    }
    const { archiver } = snapshot.counters;
    if (archiver === null) return { found, ...unseen('pg_stat_archiver') };
    const failed = archiver.last_failed_time;
    const archived = archiver.last_archived_time;
    if (failed !== null && (archived === null || Date.parse(failed) > Date.parse(archived))) {
      const since = elapsed(archived, snapshot.taken_at);
      found.push({
        object: 'failing',
        title: `Archiving WAL fails${since === null ? '; nothing was archived yet' : `; the last success is ${span(since)} ago`}`,
        rationale:
          'The backup cannot be rolled forward beyond the last archived segment, and pg_wal keeps all later ones until its disk is full; then the server stops.',
        severity: 'high',
        evidence: [
          measured('last failure', failed, null, 'pg_stat_archiver.last_failed_time'),
          measured('last success', archived ?? 'never', null, 'pg_stat_archiver.last_archived_time'),
          measured('segment', archiver.last_failed_wal, null, 'pg_stat_archiver.last_failed_wal'),
          measured(
            'failures since the reset',
            archiver.failed_count,
            'attempts',
            'pg_stat_archiver.failed_count',
          ),
        ],
        remedy: [
          "The server's log has the command's own error. Mend the target of the archive; the server tries again by itself each minute.",
        ],
      });
    }
    return { found };
  },
);
