/**
 * Room rule. target/ is the only code that talks to users' databases for reading: it opens sessions, tells what they
 * may see, and finds out about the host. It may import domain only. It never judges what it saw, never keeps state
 * across targets, and never writes: changes go through apply/, on sessions opened here.
 */
export { detectCapabilities } from './capabilities.ts';
export { diagnoseTarget } from './doctor.ts';
export { dsnWithDatabase, targetAddress } from './dsn.ts';
export { TargetQueryError } from './errors.ts';
export { detectHostFacts } from './host-facts.ts';
export { hostLimits } from './host-limits.ts';
export { openTarget, type SessionOptions, type TargetSession } from './session.ts';
