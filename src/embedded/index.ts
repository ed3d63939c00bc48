/**
 * Room rule. embedded/ runs real PostgreSQL servers out of npm packages: the default store, the demo's target, the
 * twin and the tests' servers. It may import domain only. It knows nothing of what its servers are used for, opens no
 * port beyond 127.0.0.1, and leaves nothing behind, not even after kill -9.
 */
export { availableMajors } from './binaries.ts';
export { type EmbeddedServer, startEmbedded } from './server.ts';
