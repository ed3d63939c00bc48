/** The demo's view of the service: its HTTP API and nothing else. */

export interface ServiceAddress {
  /** Base URL, e.g. http://127.0.0.1:8420. */
  url: string;
  token: string;
}

/** An answer that is not 2xx, in the problem's own words. */
export class ServiceError extends Error {
  /** The problem's stable code. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Asks the API; an answer that is not 2xx becomes an error with the problem's own words. */
export async function callService<T>(
  service: ServiceAddress,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<T> {
  const response = await fetch(service.url + path, {
    method,
    headers: {
      authorization: `Bearer ${service.token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer: unknown = response.status === 204 ? null : await response.json();
  if (!response.ok) {
    const problem = answer as { code?: string; detail?: string };
    throw new ServiceError(
      problem.code ?? '',
      `${method} ${path}: ${response.status} ${problem.code ?? ''} ${problem.detail ?? ''}`,
    );
  }
  return answer as T;
}

/** Asks again every `intervalMs` until `done` says so; the resource itself tells when it has ended. */
export async function pollService<T>(
  service: ServiceAddress,
  path: string,
  done: (resource: T) => boolean,
  onPoll: (resource: T) => void = () => {},
  intervalMs = 250,
): Promise<T> {
  for (;;) {
    const resource = await callService<T>(service, 'GET', path);
    if (done(resource)) return resource;
    onPoll(resource);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
