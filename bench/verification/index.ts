/** Changes whose effect is known, drawn and judged: how often a verdict is wrong, and how small an effect it still sees. */
export { type Family, families } from './families.ts';
export { lived } from './lifetime.ts';
export { scenarios } from './scenarios.ts';
export { judged, type World } from './world.ts';
