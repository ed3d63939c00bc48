/** The shape that health checks share: what was found, each with its object, becomes a rule's findings. */
import type { Evidence, Limit, Rejection, Rule, RuleContext, Severity } from '../../domain/index.ts';
import { findingDraft } from './finding.ts';

export interface Found {
  /** What it is about: with the rule's name the key by which a DBA suppresses it. No number that drifts, no pid. */
  object: string;
  title: string;
  rationale: string;
  severity: Severity;
  evidence: Evidence[];
  /** What to do: statements to run by hand, and what to mind. */
  remedy: string[];
  level?: Evidence['level'];
  confidence?: number;
  /** What a remedy in the configuration needs; absent: neither. */
  needs?: 'reload' | 'restart';
  /** Keys of other rules' recommendations: where all of them are made, this one says nothing new and goes. */
  yields_to?: string[];
}

export interface Seen {
  found?: Found[];
  rejections?: Omit<Rejection, 'rule'>[];
  limits?: Omit<Limit, 'scope'>[];
}

/** A health rule: `health/<name>`, whose doc page is docs/health/<name>.md. */
export function healthRule(
  name: string,
  title: string,
  description: string,
  look: (context: RuleContext) => Seen,
): Rule {
  const id = `health/${name}`;
  return {
    id,
    area: 'health',
    title,
    description,
    evaluate: (context) => {
      const { found = [], rejections = [], limits = [] } = look(context);
      const keyOf = (object: string) => `finding ${name} ${object}`;
      return {
        yields: new Map(
          found.flatMap(({ object, yields_to }) => (yields_to?.length ? [[keyOf(object), yields_to]] : [])),
        ),
        recommendations: found.map(({ object, remedy, needs, yields_to: _, ...rest }) =>
          findingDraft({
            ...rest,
            rule: id,
            key: keyOf(object),
            restart: needs === 'restart',
            reload: needs === 'reload',
            notes: [...remedy, `About this check: docs/health/${name}.md`],
          }),
        ),
        rejections: rejections.map((rejection) => ({ rule: id, ...rejection })),
        limits: limits.map((limit) => ({ scope: id, ...limit })),
      };
    },
  };
}

/** A noun that the snapshot does not hold: a limit of that noun, or an older version that did not read it. */
export function unseen(what: string): Seen {
  return {
    limits: [
      {
        code: 'not_collected',
        message: `${what} could not be seen in this snapshot: this check was not made.`,
        remedy: 'See the limits of the snapshot; collect anew with this version.',
      },
    ],
  };
}

/** Whether the snapshot says of a noun that it was not, or not wholly, read: its rows being absent means nothing then. */
export function wasRead({ snapshot }: RuleContext, ...nouns: string[]): boolean {
  return !snapshot.limits.some(({ scope }) => nouns.includes(scope));
}
