/**
 * Room rule. api/ turns HTTP into calls of pipeline/ and store reads, and their results into JSON; one file a noun
 * under routes/. It may import domain, pipeline and report. It decides nothing: no SQL, no state changes of its own,
 * and it takes ids and typed fields from clients, never SQL that could run on a target: the statements of an analysis
 * are planned on the twin only.
 */
import { createHash, randomUUID } from 'node:crypto';
import { bodyLimit } from 'hono/body-limit';
import { compress } from 'hono/compress';
import { actorOfToken, type Services } from '../pipeline/index.ts';
import { errorResponse, problemResponse } from './problem.ts';
import { createRouter, type Router } from './router.ts';
import { analysisRoutes } from './routes/analyses.ts';
import { applyRoutes } from './routes/applies.ts';
import { applyControlRoutes } from './routes/apply-control.ts';
import { applyEventRoutes } from './routes/apply-events.ts';
import { auditRoutes } from './routes/audit.ts';
import { healthRoutes } from './routes/health.ts';
import { jobRunRoutes } from './routes/job-runs.ts';
import { plannedApplyRoutes } from './routes/planned-applies.ts';
import { recommendationRoutes } from './routes/recommendations.ts';
import { restartBatchRoutes } from './routes/restart-batches.ts';
import { scorecardRoutes } from './routes/scorecards.ts';
import { snapshotRoutes } from './routes/snapshots.ts';
import { statementRoutes } from './routes/statements.ts';
import { targetRoutes } from './routes/targets.ts';
import { type ApiTokenEntry, bearerOf, scopesFor } from './scopes.ts';

export interface AppOptions {
  services: Services;
  /** SHA-256 of the first bearer token, which may do everything; the token itself is never kept. */
  token_hash: Buffer;
  /** Further tokens, with what each may do. */
  tokens?: readonly ApiTokenEntry[];
  version: string;
}

/** Paths that answer without a token: probes and the API's own description. */
const OPEN_PATHS = new Set(['/livez', '/readyz', '/openapi.json']);
const MAX_BODY_BYTES = 1024 * 1024;

/** The HTTP application, ready for a server or for `app.fetch` in a test. */
export function createApp(options: AppOptions): Router {
  const { services } = options;
  const tokens: ApiTokenEntry[] = [
    { name: '', scopes: ['admin'], hash: options.token_hash },
    ...(options.tokens ?? []),
  ];
  const app = createRouter();

  app.onError((error, context) => {
    // Hono's own JSON reader throws for a body that is no JSON.
    if (error.message.startsWith('Malformed JSON')) {
      return problemResponse(context, {
        status: 400,
        code: 'body_malformed',
        detail: 'The body is not valid JSON.',
        remedy: 'Send a JSON object with content-type application/json.',
      });
    }
    return errorResponse(error, context, services.logger);
  });
  app.notFound((context) =>
    problemResponse(context, {
      status: 404,
      code: 'route_not_found',
      detail: `There is no ${context.req.method} ${context.req.path}.`,
      remedy: 'GET /openapi.json lists what there is.',
    }),
  );

  app.use(async (context, next) => {
    const started = performance.now();
    context.set('requestId', randomUUID());
    await next();
    const duration = performance.now() - started;
    context.res.headers.set('x-request-id', context.get('requestId'));
    context.res.headers.set('server-timing', `app;dur=${duration.toFixed(1)}`);
    services.logger.debug(
      {
        request_id: context.get('requestId'),
        method: context.req.method,
        path: context.req.path,
        status: context.res.status,
        duration_ms: duration,
      },
      'request',
    );
  });
  app.use(compress());
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (context) =>
        problemResponse(context, {
          status: 413,
          code: 'body_too_large',
          detail: `A body may have at most ${MAX_BODY_BYTES} bytes.`,
        }),
    }),
  );
  app.use(async (context, next) => {
    if (OPEN_PATHS.has(context.req.path)) return next();
    const given = /^Bearer (.+)$/.exec(context.req.header('authorization') ?? '')?.[1];
    const bearer = given === undefined ? null : bearerOf(tokens, createHash('sha256').update(given).digest());
    if (given === undefined || bearer === null) {
      const response = problemResponse(context, {
        status: 401,
        code: given === undefined ? 'token_missing' : 'token_invalid',
        detail: given === undefined ? 'This request has no bearer token.' : 'This bearer token is not known.',
        remedy: 'Send "Authorization: Bearer <token>" with the token printed at the first start.',
      });
      response.headers.set('www-authenticate', 'Bearer');
      return response;
    }
    const scopes = scopesFor(context.req.method, context.req.path);
    if (!scopes.some((scope) => bearer.scopes.includes(scope))) {
      return problemResponse(context, {
        status: 403,
        code: 'scope_missing',
        detail: `This token has the scope ${bearer.scopes.join(', ')}; this needs ${scopes.join(' or ')}.`,
        remedy: 'Use a token with that scope.',
      });
    }
    context.set('actor', bearer.name === '' ? actorOfToken(given) : bearer.name);
    context.set('admin', bearer.scopes.includes('admin'));
    return next();
  });

  for (const routes of [
    healthRoutes,
    targetRoutes,
    snapshotRoutes,
    statementRoutes,
    scorecardRoutes,
    analysisRoutes,
    recommendationRoutes,
    plannedApplyRoutes,
    restartBatchRoutes,
    applyRoutes,
    applyEventRoutes,
    applyControlRoutes,
    jobRunRoutes,
    auditRoutes,
  ]) {
    routes(app, services);
  }

  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'PgLuthier',
      version: options.version,
      description: 'A tuning advisor for PostgreSQL: evidence before advice, approval before change.',
    },
    security: [{ bearer: [] }],
  });
  return app;
}
