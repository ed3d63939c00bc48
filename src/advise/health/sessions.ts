/** Findings about sessions: those of one user, database and application are one object, whatever their pids. */
import type { RuleContext, SessionRow } from '../../domain/index.ts';
import { measured } from '../settings/facts.ts';
import type { Found } from './check.ts';
import { elapsed, span } from './words.ts';

interface Question {
  matches(session: SessionRow): boolean;
  since(session: SessionRow): string | null;
  minimum_ms: number;
  /** From here on medium rather than low. */
  medium_ms: number;
  title(who: string, ms: number): string;
  rationale: string;
  remedy: string[];
}

/** Who it is, without the pid: stable from night to night. */
export function sessionObject(session: SessionRow): string {
  return `${session.user ?? '?'}@${session.database ?? '?'} ${session.application_name ?? '(no name)'}`;
}

/**
 * One finding a user, database and application, by its longest session. Where nobody waits for them and all of them are
 * named as holders of the xmin horizon, autovacuum/xmin-horizon says it: what it does to vacuum is its harm then.
 */
export function sessionsFound({ snapshot }: RuleContext, question: Question): Found[] {
  const groups = new Map<string, { session: SessionRow; ms: number }[]>();
  for (const session of snapshot.activity.sessions) {
    if (session.backend_type !== 'client backend' || !question.matches(session)) continue;
    const ms = elapsed(question.since(session), snapshot.taken_at);
    if (ms === null || ms < question.minimum_ms) continue;
    const object = sessionObject(session);
    groups.set(object, [...(groups.get(object) ?? []), { session, ms }]);
  }
  return [...groups].map(([object, members]) => {
    members.sort((a, b) => b.ms - a.ms);
    const longest = members[0]?.ms ?? 0;
    const pids = new Set(members.map(({ session }) => session.pid));
    const blocked = snapshot.activity.sessions.filter(({ blocked_by }) =>
      blocked_by.some((pid) => pids.has(pid)),
    );
    const more = members.length > 1 ? ` (${members.length} sessions)` : '';
    return {
      object,
      title: question.title(`${object}${more}`, longest),
      rationale:
        blocked.length > 0
          ? `${blocked.length} session(s) wait for its locks now. ${question.rationale}`
          : question.rationale,
      severity: blocked.length > 0 ? 'high' : longest >= question.medium_ms ? 'medium' : 'low',
      evidence: [
        ...members
          .slice(0, 5)
          .map(({ session, ms }) => measured(`pid ${session.pid}`, span(ms), null, 'pg_stat_activity')),
        measured('sessions that wait for it', blocked.length, 'sessions', 'pg_blocking_pids()'),
        measured(
          'oldest xmin that it holds',
          Math.max(0, ...members.map(({ session }) => session.xmin_age ?? 0)),
          'transactions',
          'pg_stat_activity.backend_xmin',
        ),
      ],
      yields_to: blocked.length > 0 ? [] : [...pids].map((pid) => `finding xmin horizon session ${pid}`),
      remedy: [
        ...members
          .slice(0, 5)
          .map(({ session }) => `If it may be lost: SELECT pg_terminate_backend(${session.pid});`),
        ...question.remedy,
      ],
    };
  });
}
