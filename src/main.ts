#!/usr/bin/env node
/** The executable: hands the arguments to the command line and its exit code to the system. */
import { runCli } from './cli.ts';

process.exitCode = await runCli(process.argv);
