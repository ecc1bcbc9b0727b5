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
import { check } from './check.ts';
import { type Output, parseFlags, UsageError, WITHOUT_ADDRESS } from './command-line.ts';
import { completion } from './completion.ts';
import { config } from './config.ts';
import { controllerStatus, freeze, metaStatus, setController, state } from './controllers.ts';
import { decommission, replace } from './departure.ts';
import { doctor } from './doctor.ts';
import { holofast } from './holofast.ts';
import { hotkeys } from './hotkeys.ts';
import { latency } from './latency.ts';
import { login, logout } from './login.ts';
import { logs } from './logs.ts';
import { move } from './move.ts';
import { addNode, changeNode } from './nodes.ts';
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
                                           divides the range of the slot, at the slot; with
                                           --no-wait it is only decided
  holoctl split --pause | --resume | --cancel  (--range R | --at-slot N) [--node HOST:PORT]
                                           of a split that is not closing yet
  holoctl move --range R --from NODE --to NODE [--node HOST:PORT]   (or: rebalance)
                                           another node becomes a member of the range in the
                                           place of one; waits until it has the data, with
                                           --no-wait it is only decided
  holoctl state [--node HOST:PORT]         changes of ranges, under way and ended
  holoctl meta-status [--node HOST:PORT]   the group that decides on them
  holoctl controller-status [--node HOST:PORT]   who works on them, under which lease
  holoctl pause NAME [--node HOST:PORT]    a controller: ranges, replicas, meta or all
  holoctl resume NAME [--node HOST:PORT]
  holoctl freeze [--frozen true|false]     pauses or resumes all controllers
  holoctl add-node [--node HOST:PORT]      how to start one that joins the cluster
  holoctl drain N [--node HOST:PORT]       node N takes no clients until it starts again
  holoctl decommission N [--no-wait] [--node HOST:PORT]   the ranges of node N move to others;
                                           waits until it has none
  holoctl replace OLD NEW [--no-wait] [--node HOST:PORT]   the same, to node NEW
  holoctl remove-node N [--node HOST:PORT]   takes out a node that is decommissioned, for good
  holoctl recommission N [--node HOST:PORT]   takes a drain or a decommission back
  holoctl raise-behaviour LEVEL [--node HOST:PORT]   when all nodes know it
  holoctl check [--nodes HOST:PORT,...] [--down-max N] [--change-s-max N] [--epochs-max N]
                                           exit code 1 if more nodes are down, or changes late
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

type Subcommand = (args: readonly string[], output: Output) => Promise<number> | number;

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  ...{ status, topology, ranges, top, doctor, holofast, actors, logs, hotkeys, bigkeys, slowlog },
  ...{
    completion,
    split,
    move,
    rebalance: move,
    state,
    freeze,
    check,
    config,
    login,
    logout,
    latency,
    trace,
  },
  metrics: (rest, output) => page('/metrics', rest, output),
  'meta-status': metaStatus,
  'controller-status': controllerStatus,
  pause: (rest, output) => setController('pause-controller', rest, output),
  resume: (rest, output) => setController('resume-controller', rest, output),
  'add-node': addNode,
  drain: (rest, output) => changeNode('drain', rest, output),
  recommission: (rest, output) => changeNode('recommission', rest, output),
  decommission,
  replace,
  'remove-node': (rest, output) => changeNode('remove-node', rest, output),
  'raise-behaviour': (rest, output) => changeNode('raise-behaviour', rest, output),
  version: tellVersion,
  '--version': tellVersion,
  help,
  '--help': help,
  '-h': help,
};

/** Returns the exit code; never throws. */
export async function run(args: readonly string[], output: Output): Promise<number> {
  const [command, ...rest] = args;
  try {
    if (command === undefined) {
      throw new UsageError('a subcommand is missing (see "holoctl help")');
    }
    const subcommand = Object.hasOwn(SUBCOMMANDS, command) ? SUBCOMMANDS[command] : undefined;
    if (subcommand === undefined) {
      throw new UsageError(`unknown subcommand "${command}" (see "holoctl help")`);
    }
    return await subcommand(rest, output);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    output.writeError(`holoctl: ${escapeLine(message)}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function tellVersion(args: readonly string[], output: Output): number {
  const isJson = parseFlags(args, [], ['json']).on.has('json');
  output.write(isJson ? `${JSON.stringify({ version: version() })}\n` : `holoctl ${version()}\n`);
  return 0;
}

function help(_args: readonly string[], output: Output): number {
  output.write(`${HELP}\n`);
  return 0;
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
