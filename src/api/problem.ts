/** RFC 9457 problem details: what every refusal of the API looks like. */
import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Logger } from 'pino';
import { PgLuthierError } from '../domain/index.ts';

export const problemSchema = z
  .object({
    type: z.string().meta({ description: 'urn:pgluthier:problem:<code>' }),
    title: z.string(),
    status: z.number().int(),
    code: z.string().meta({ description: 'Stable; meant for programs.' }),
    detail: z.string(),
    remedy: z.string().optional(),
    request_id: z.string(),
    blockers: z.array(z.record(z.string(), z.unknown())).optional(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .loose()
  .meta({ id: 'Problem' });

const titles: Record<number, string> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Conflict',
  412: 'Precondition failed',
  413: 'Too large',
  422: 'Not acceptable as given',
  424: 'A dependency failed',
  429: 'Too many requests',
  500: 'Internal error',
  502: 'The target answered with an error',
  503: 'Unavailable',
  504: 'Timed out',
};

/** Answers with a problem document; `extra` members follow the standard ones. */
export function problemResponse(
  context: Context,
  problem: { status: number; code: string; detail: string; remedy?: string | undefined },
  extra: Record<string, unknown> = {},
): Response {
  const body = {
    type: `urn:pgluthier:problem:${problem.code}`,
    title: titles[problem.status] ?? 'Error',
    status: problem.status,
    code: problem.code,
    detail: problem.detail,
    ...(problem.remedy === undefined ? {} : { remedy: problem.remedy }),
    request_id: context.get('requestId') as string,
    ...extra,
  };
  return context.body(JSON.stringify(body), problem.status as 400, {
    'content-type': 'application/problem+json',
  });
}

/** Turns whatever a handler threw into a problem; what is not meant for the caller goes to the log only. */
export function errorResponse(error: unknown, context: Context, logger: Logger): Response {
  if (error instanceof PgLuthierError) {
    if (error.status >= 500) logger.warn({ err: error, code: error.code }, 'request failed');
    return problemResponse(
      context,
      { status: error.status, code: error.code, detail: error.message, remedy: error.remedy },
      { ...error.details, ...(error.blockers ? { blockers: error.blockers } : {}) },
    );
  }
  logger.error({ err: error, request_id: context.get('requestId') as string }, 'unexpected error');
  return problemResponse(context, {
    status: 500,
    code: 'internal_error',
    detail: 'Something went wrong inside PgLuthier; the log has the details under this request_id.',
  });
}

/** A request that does not fit its schema: every mismatch with its place. */
export function invalidRequest(context: Context, error: z.ZodError): Response {
  return problemResponse(
    context,
    {
      status: 400,
      code: 'request_invalid',
      detail: 'The request does not have the form that this route takes.',
      remedy: 'See errors, and GET /openapi.json for the form.',
    },
    { errors: error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })) },
  );
}
