#!/usr/bin/env -S node --max-semi-space-size=64 --initial-heap-size=128
/**
 * The `holostore` command: picks the subcommand, turns errors into one line on standard error, and
 * ends the process with an exit code: 0 stopped in order, 1 failed, 2 called wrongly, 3 data that
 * this node must not use.
 */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { escapeLine } from '../transport/escape.ts';
import { CERTS_HELP, runCerts } from './process/certs-command.ts';
import { CLUSTER_SETTINGS, runCluster } from './process/cluster/cluster-parent.ts';
import { runNode } from './process/node-command.ts';
import { runReplay } from './process/replay-command.ts';
import { EXIT_DATA_REFUSED, isDataRefused } from './process/running-node.ts';
import { makeSecretFile } from './process/security/secret-file.ts';
import { SETTINGS, sharedSettings } from './process/settings/config.ts';
import { ConfigError, helpLines } from './process/settings/settings.ts';
import { VERSION } from './process/version.ts';

const FAILED = 1;
const CALLED_WRONGLY = 2;
const LINGER_MS = 1000;

/** Returns the exit code; never throws. `write` and `writeError` take whole lines. */
export async function run(
  args: readonly string[],
  write: (line: string) => void,
  writeError: (line: string) => void,
): Promise<number> {
  const [command, ...rest] = args;
  try {
    if (rest.includes('--help') || rest.includes('-h')) {
      write(help(command));
      return 0;
    }
    switch (command) {
      case 'node':
        return await runNode(rest);
      case 'cluster':
        return await runCluster(rest, fileURLToPath(import.meta.url), write);
      case 'holofast-load':
        // Loaded late: it brings native code that no other subcommand needs.
        return (await import('../bpf/native/holofast-load.ts')).runHoloFastLoad(rest);
      case 'certs':
        return runCerts(rest, write);
      case 'replay':
        return await runReplay(rest, write);
      case 'make-secret':
        return makeSecret(rest, write);
      case 'version':
      case '--version':
        write(`holostore ${VERSION}`);
        return 0;
      case 'help':
      case '--help':
      case '-h':
        write(help(rest[0]));
        return 0;
      case undefined:
        throw new ConfigError(
          'a subcommand is missing: node, cluster, replay, make-secret, certs, version or help ' +
            '(see "holostore help")',
        );
      default:
        throw new ConfigError(
          `unknown subcommand "${command}": node, cluster, replay, make-secret, certs, version or help ` +
            '(see "holostore help")',
        );
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    writeError(`holostore: ${escapeLine(message)}`);
    if (isDataRefused(error)) return EXIT_DATA_REFUSED;
    return error instanceof ConfigError ? CALLED_WRONGLY : FAILED;
  }
}

function makeSecret(args: readonly string[], write: (line: string) => void): number {
  const [path, ...rest] = args;
  if (path === undefined || path.startsWith('-') || rest.length > 0) {
    throw new ConfigError('make-secret takes the path of the file to make, and nothing else');
  }
  makeSecretFile(path);
  write(`${path} is made: copy it to every node, and give --cluster-secret-file to each`);
  return 0;
}

function help(command: string | undefined): string {
  const environment =
    'Every flag has a twin in the environment: --data-dir is HOLO_DATA_DIR. The flag wins.';
  if (command === 'node') {
    return [
      'holostore node: runs one node until it is told to stop (SIGTERM, Ctrl-C).',
      'SIGUSR2 writes the flight recorder into the data directory; SIGHUP reads secrets and certificates again.',
      '',
      ...helpLines(SETTINGS),
      '',
      environment,
    ].join('\n');
  }
  if (command === 'cluster') {
    return [
      'holostore cluster: runs a whole cluster on this machine, for trying out and for tests.',
      '',
      ...helpLines(CLUSTER_SETTINGS),
      '',
      'Handed on to every node:',
      ...helpLines(sharedSettings()),
      '',
      environment,
    ].join('\n');
  }
  if (command === 'certs') return CERTS_HELP;
  return [
    'holostore: a distributed, strictly serializable key/value store with the Redis protocol',
    '',
    '  holostore cluster [flags]   a cluster of 3 or 5 nodes on this machine',
    '  holostore node [flags]      one node of a cluster',
    '  holostore make-secret FILE  the secret that the members of a cluster share',
    '  holostore certs             certificates for peers and clients',
    '  holostore replay FILE       a film of the simulator, or a story, as a page',
    '  holostore holofast-load     loads the kernel part for nodes without capabilities',
    '  holostore version           the version of this program',
    '  holostore help [command]    all flags of node or cluster',
  ].join('\n');
}

function isProgram(): boolean {
  const program = process.argv[1];
  return program !== undefined && realpathSync(program) === fileURLToPath(import.meta.url);
}

if (isProgram()) {
  process.exitCode = await run(
    process.argv.slice(2),
    (line) => process.stdout.write(`${line}\n`),
    (line) => process.stderr.write(`${line}\n`),
  );
  // A handle that is still open now is a mistake, and must not keep a stopped process alive.
  setTimeout(() => process.exit(), LINGER_MS).unref();
}
