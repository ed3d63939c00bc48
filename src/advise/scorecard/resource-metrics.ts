/** What the load takes of connections, CPU and memory. */
import { computed, measured, setting } from '../settings/facts.ts';
import { type MetricsInput, spanOf } from './input.ts';
import type { Observation, Unseen } from './metric.ts';

/** Fewer samples of sessions are moments, no distribution. */
const ENOUGH_SAMPLES = 5;

const clientsOf = ({ snapshot }: MetricsInput) =>
  snapshot.activity.groups.filter(({ backend_type }) => backend_type === 'client backend');

const unseenSessions: Unseen = {
  code: 'not_collected',
  message: 'sessions of other roles are not visible.',
  remedy: 'GRANT pg_read_all_stats (or pg_monitor) to the role.',
};

/** States of other roles' sessions are hidden from a role without pg_read_all_stats: counting them would be wrong. */
function sessionsHidden({ snapshot }: MetricsInput): boolean {
  const { activity, limits } = snapshot;
  return (
    activity.groups.length === 0 ||
    limits.some(({ scope, code }) => code === 'activity_hidden' || scope === 'activity-groups')
  );
}

export function connections(input: MetricsInput): Observation {
  if (sessionsHidden(input)) return unseenSessions;
  const most = setting(input, 'max_connections');
  if (most === undefined) {
    return {
      code: 'setting_not_visible',
      message: 'max_connections is not visible.',
      remedy: 'GRANT pg_read_all_settings (or pg_monitor) to the role.',
    };
  }
  // reserved_connections is new in 16.
  const reserved = ['superuser_reserved_connections', 'reserved_connections'].reduce(
    (sum, name) => sum + Number(setting(input, name)?.setting ?? 0),
    0,
  );
  const free = Number(most.setting) - reserved;
  const now = clientsOf(input).reduce((sum, { sessions }) => sum + sessions, 0);
  const sampled = input.window?.concurrency;
  const peak = Math.max(now, sampled?.total_max ?? 0);
  return {
    value: peak / free,
    span: sampled ? spanOf(input, null) : null,
    evidence: [
      sampled
        ? measured(
            'connections at once, at most',
            peak,
            'sessions',
            `${sampled.samples} samples of pg_stat_activity`,
          )
        : measured('connections', now, 'sessions', 'pg_stat_activity, this moment'),
      measured('connections there may be', free, 'sessions', 'max_connections − reserved ones'),
      computed('share', peak / free, 'share', 'connections ÷ (max_connections − reserved)'),
    ],
    ...(sampled ? { note: 'Between two samples there may have been more.' } : { note: 'One moment only.' }),
  };
}

export function activePerCpu(input: MetricsInput): Observation {
  const { value: cpus, source } = input.snapshot.host.cpu_count;
  if (cpus === null) {
    return {
      code: 'host_unknown',
      message: `the number of CPUs is not known (${source}).`,
      remedy: 'Give --cpu 4, or "cpu_count" in the target\'s "host".',
    };
  }
  if (sessionsHidden(input)) return unseenSessions;
  const sampled = input.window?.concurrency;
  if (!sampled || sampled.samples < ENOUGH_SAMPLES) {
    return {
      code: 'too_few_observations',
      message: `${sampled?.samples ?? 1} samples of sessions; ${ENOUGH_SAMPLES} are wanted.`,
      remedy: 'The service samples each minute: let it watch the target.',
      evidence: [
        measured(
          'active sessions',
          clientsOf(input).reduce((sum, { state, sessions }) => sum + (state === 'active' ? sessions : 0), 0),
          'sessions',
          'pg_stat_activity, this moment',
        ),
      ],
    };
  }
  return {
    value: sampled.active_p95 / cpus,
    span: spanOf(input, null),
    evidence: [
      measured(
        'active sessions, P95',
        sampled.active_p95,
        'sessions',
        `${sampled.samples} samples of pg_stat_activity, all databases`,
      ),
      measured('CPUs', cpus, 'CPUs', source),
      computed('for each CPU', sampled.active_p95 / cpus, 'sessions', 'P95 of active sessions ÷ CPUs'),
    ],
    note: 'An active session may wait for a lock or a disk: this is no use of the CPU.',
  };
}

const HOST_REMEDY =
  'Let the role read host files (pg_read_server_files and EXECUTE on pg_read_file), or look at the host itself.';

export function cpuUsage(input: MetricsInput): Observation {
  const now = input.snapshot.host.usage;
  if (!now?.value) return hostUnseen(now?.source);
  const before = input.usage_before;
  if (!before) {
    return {
      code: 'one_reading_only',
      message: 'its use is told by two readings; there is one.',
      remedy: 'Take a window: --window 300, or two full snapshots.',
    };
  }
  const total = now.value.cpu_total_ticks - before.cpu_total_ticks;
  const idle = now.value.cpu_idle_ticks - before.cpu_idle_ticks;
  // 100 ticks a second for each CPU: less than two seconds tell nothing, and less than none is another boot.
  if (total < 200 || idle < 0) {
    return {
      code: 'too_few_observations',
      message: 'the two readings of the host are too near to each other, or of two boots.',
      remedy: 'Take a longer window.',
    };
  }
  const value = Math.max(0, 1 - idle / total);
  const seconds = (Date.parse(now.value.read_at) - Date.parse(before.read_at)) / 1000;
  return {
    value,
    span: { seconds, words: 'between two readings of the host' },
    evidence: [
      measured('CPU time', total / 100, 'CPU seconds', now.source),
      measured('of it idle or waiting for a disk', idle / 100, 'CPU seconds', now.source),
      computed('in use', value, 'share', '1 − (idle + iowait) ÷ all'),
    ],
    note: 'Of the whole host: everything else that runs there is in it.',
  };
}

export function memoryUsage(input: MetricsInput): Observation {
  const usage = input.snapshot.host.usage;
  if (!usage?.value) return hostUnseen(usage?.source);
  const { memory_total_bytes: total, memory_available_bytes: available } = usage.value;
  return {
    value: 1 - available / total,
    span: null,
    evidence: [
      measured('memory', total, 'bytes', usage.source),
      measured('available', available, 'bytes', usage.source),
      computed('in use', 1 - available / total, 'share', '1 − MemAvailable ÷ MemTotal'),
    ],
    note: "Of the whole host, at the moment of its reading. The kernel's cache counts as available, shared_buffers do not.",
  };
}

function hostUnseen(source: string | undefined): Unseen {
  return {
    code: 'not_visible',
    message: `it cannot be seen from here (${source ?? 'not read'}).`,
    remedy: HOST_REMEDY,
  };
}
