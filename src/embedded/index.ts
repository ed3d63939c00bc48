/**
 * Room rule. embedded/ runs real PostgreSQL servers out of npm packages or system installations: the default store, the demo's target, the
 * twin, the tests' servers. It may import domain/ and pg (to see that a server answers); it knows nothing of what a
 * server is used for, and a server it starts never outlives the process that asked for it by more than moments.
 */
export { availableMajors } from './binaries.ts';
export {
  fetchInstallation,
  findInstallations,
  type Installation,
  installedMajors,
} from './installations.ts';
export type { EmbeddedOptions, EmbeddedServer } from './server.ts';
export { startEmbedded } from './start.ts';
