#!/usr/bin/env node
/**
 * The `holoctl` command: asks the admin ports of nodes and prints the answers. An error
 * is one line on standard error. Exit codes: 0 success, 1 a node did not answer or is not ready,
 * 2 wrong usage.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { escapeLine } from '../escape.ts';
import { actors } from './actors.ts';
import { bigkeys } from './bigkeys.ts';
import { type Output, parseFlags, UsageError, WITHOUT_ADDRESS } from './command-line.ts';
import { completion } from './completion.ts';
import { config } from './config.ts';
import { doctor } from './doctor.ts';
import { holofast } from './holofast.ts';
import { hotkeys } from './hotkeys.ts';
import { latency } from './latency.ts';
import { login, logout } from './login.ts';
import { logs } from './logs.ts';
import { page } from './page.ts';
import { slowlog } from './slowlog.ts';
import { split } from './split.ts';
import { status } from './status.ts';
import { top } from './top.ts';
import { ranges, topology } from './topology.ts';
import { DUMP_FORMATS, trace } from './trace.ts';

const HELP = `holoctl: asks the nodes of a HoloStore cluster (their admin ports)

  holoctl status [--nodes HOST:PORT,...]   a line per node
  holoctl topology [--node HOST:PORT]      the nodes, and what they have agreed on
  holoctl ranges [--node HOST:PORT]        a line per range; in JSON "to" is the slot behind
  holoctl split --at-slot N | --at-key KEY [--range R] [--node HOST:PORT]
                                           divides the range of the slot, at the slot
  holoctl top [--nodes HOST:PORT,...] [--count N]   rates, actors and keys, live
  holoctl doctor [--nodes HOST:PORT,...]   what is wrong with the nodes, and what to do
  holoctl holofast [--node HOST:PORT]      which tier of HoloFast runs, and why not a higher one
  holoctl actors [--node HOST:PORT]        the tree of a node's actors
  holoctl logs [--nodes HOST:PORT,...] [--follow] [--level warn]
                                           the last lines of the nodes' logs
  holoctl latency [--nodes HOST:PORT,...]  where the time of commands goes
  holoctl slowlog [--nodes HOST:PORT,...] [--count N]
                                           the last commands that took long
  holoctl hotkeys [--nodes HOST:PORT,...] [--count N]
                                           the keys that clients name most often
  holoctl bigkeys [--nodes HOST:PORT,...] [--count N]
                                           the largest keys of each type
  holoctl metrics [--node HOST:PORT]       what Prometheus would read
  holoctl config set NAME VALUE [--node HOST:PORT]   changes a setting of a node
  holoctl login [USER] [--node HOST:PORT]  asks for the password, and opens a session
  holoctl logout [--node HOST:PORT]
  holoctl completion bash|zsh              a script for your shell
  holoctl trace dump [--nodes HOST:PORT,...] [--format ${DUMP_FORMATS.join('|')}] [--out FILE]
                                           what the nodes did of late, by one clock
  holoctl trace tail [--slow 10ms] [--count N] [--nodes HOST:PORT,...]
                                           slow (--trace-slow-ms of a node), recovered and
                                           sampled transactions; --slow shows fewer
  holoctl trace TXNID [--nodes HOST:PORT,...]  one transaction on all nodes, as a picture
  holoctl version
  holoctl help

With --json: JSON, one value for all nodes; of logs, top and trace tail a line each.
Exit codes: 0 well, 1 a node did not answer, is not ready, or something is wrong, 2 wrong usage.
Without an address: ${WITHOUT_ADDRESS}.
HOLO_ADMIN_TOKEN_FILE: a file with the token of administrators; of nodes of this machine, holoctl
finds it. HOLO_ADMIN_CA_FILE: asks over TLS (--admin-tls) with these issuers of certificates.`;

/** Returns the exit code; never throws. */
export async function run(args: readonly string[], output: Output): Promise<number> {
  const [command, ...rest] = args;
  try {
    switch (command) {
      case 'status':
        return await status(rest, output);
      case 'topology':
        return await topology(rest, output);
      case 'ranges':
        return await ranges(rest, output);
      case 'top':
        return await top(rest, output);
      case 'doctor':
        return await doctor(rest, output);
      case 'holofast':
        return await holofast(rest, output);
      case 'actors':
        return await actors(rest, output);
      case 'logs':
        return await logs(rest, output);
      case 'hotkeys':
        return await hotkeys(rest, output);
      case 'bigkeys':
        return await bigkeys(rest, output);
      case 'slowlog':
        return await slowlog(rest, output);
      case 'completion':
        return completion(rest, output);
      case 'metrics':
        return await page('/metrics', rest, output);
      case 'split':
        return await split(rest, output);
      case 'config':
        return await config(rest, output);
      case 'login':
        return await login(rest, output);
      case 'logout':
        return await logout(rest, output);
      case 'latency':
        return await latency(rest, output);
      case 'trace':
        return await trace(rest, output);
      case 'version':
      case '--version': {
        const isJson = parseFlags(rest, [], ['json']).on.has('json');
        output.write(
          isJson ? `${JSON.stringify({ version: version() })}\n` : `holoctl ${version()}\n`,
        );
        return 0;
      }
      case 'help':
      case '--help':
      case '-h':
        output.write(`${HELP}\n`);
        return 0;
      case undefined:
        throw new UsageError('a subcommand is missing (see "holoctl help")');
      default:
        throw new UsageError(`unknown subcommand "${command}" (see "holoctl help")`);
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    output.writeError(`holoctl: ${escapeLine(message)}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** The version of the package that this file belongs to, from source or from dist/. */
function version(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      return String(JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version);
    } catch {
      // The other place has it.
    }
  }
  return 'unknown';
}

function isProgram(): boolean {
  const program = process.argv[1];
  return program !== undefined && realpathSync(program) === fileURLToPath(import.meta.url);
}

if (isProgram()) {
  // A reader such as `head` may close the pipe early.
  process.stdout.on('error', () => process.exit(0));
  process.exitCode = await run(process.argv.slice(2), {
    write: (text) => process.stdout.write(text),
    writeError: (line) => process.stderr.write(`${line}\n`),
  });
}
