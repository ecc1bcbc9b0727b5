/**
 * `holostore node`: settings in, one running node out, signals in between. The only place that
 * ties a node to its process; `start-node.ts` builds the node itself.
 */
import type { Logger } from 'pino';
import { clusterIdOf, isDataDirectory } from './disk/data-directory.ts';
import { joinedConfig } from './joining.ts';
import { LogRing } from './log-ring.ts';
import { createLogger } from './logger.ts';
import { confirmMembership } from './membership-inquiry.ts';
import { EXIT_FORMED, type RunningNode } from './running-node.ts';
import { PeerProof } from './security/peer-proof.ts';
import { isJoining, type NodeConfig, parseNodeConfig } from './settings/config.ts';

export type StartNode = (
  config: NodeConfig,
  logger: Logger,
  log: LogRing,
  ownsProcess: boolean,
) => RunningNode;

/** Set by `holostore cluster` for its children: they end when their standard input does. */
export const PARENT_VARIABLE = 'HOLO_UNDER_PARENT';

/** All rights of the group and of others. */
const OTHERS = 0o077;
/** Exit codes by signal, as shells have them. */
const INTERRUPTED = 130;
const CRASHED = 70;
/** One Ctrl-C may arrive twice: from the terminal and from npm, which passes it on. */
const SAME_INTERRUPT_MS = 500;

/**
 * Runs until the node has stopped and returns the exit code. Errors before that are thrown.
 */
export async function runNode(args: readonly string[], startNode?: StartNode): Promise<number> {
  const given = parseNodeConfig(args, process.env);
  // Its files hold everything that it stores, hashes of passwords too.
  process.umask(process.umask() | OTHERS);
  const ring = new LogRing();
  const isTerminal = process.stdout.isTTY === true;
  const early = createLogger(given, isTerminal, ring);
  const config = isJoining(given) ? await joinedConfig(given, early) : given;
  const logger = config === given ? early : createLogger(config, isTerminal, ring);
  const [seed] = config.join;
  if (seed !== undefined && !isJoining(given) && !isDataDirectory(config.dataDir)) {
    const { initialMembers: members, electorate } = config;
    const clusterId = clusterIdOf(members, electorate);
    await confirmMembership({
      seed,
      security: new PeerProof(config, clusterId, logger).security,
      nodeId: config.nodeId,
      clusterId,
    });
  }
  const start = startNode ?? (await loadStartNode());
  const { code, reason } = await run(start, config, logger, ring);
  logger[code === 0 ? 'info' : 'error']({ code, reason }, `node stopped: ${reason}`);
  return code;
}

/** A node that has helped to form its cluster begins again, as a member of it. */
async function run(
  start: StartNode,
  config: NodeConfig,
  logger: Logger,
  ring: LogRing,
): Promise<{ readonly code: number; readonly reason: string }> {
  for (;;) {
    const node = start(config, logger, ring, true);
    const signals = attachSignals(node, logger);
    const { code, reason } = await node.stopped;
    signals.release();
    if (code !== EXIT_FORMED) return { code, reason };
    if (signals.isStopping()) return { code: 0, reason };
  }
}

/** Loaded late: wrong flags are told without loading a whole node. */
async function loadStartNode(): Promise<StartNode> {
  const { startNode } = await import('./start-node.ts');
  return startNode;
}

interface Signals {
  readonly release: () => void;
  /** The process is to end. */
  readonly isStopping: () => boolean;
}

function attachSignals(node: RunningNode, logger: Logger): Signals {
  let stopping = false;
  let stoppingAtMs = 0;
  const stop = (reason: string): void => {
    if (stopping) return;
    stopping = true;
    stoppingAtMs = performance.now();
    logger.info({ reason }, `stopping: ${reason}`);
    node.stop(reason).catch((error) => crash('the node could not be stopped', error));
  };
  const crash = (what: string, error: unknown): void => {
    logger.fatal({ err: error }, what);
    try {
      node.dumpTrace?.();
    } catch (dumpError) {
      logger.error({ err: dumpError }, 'the trace could not be dumped');
    }
    process.exit(CRASHED);
  };
  const underParent = process.env[PARENT_VARIABLE] !== undefined;
  const onTerminate = (): void => stop('received SIGTERM');
  const onInterrupt = (): void => {
    // A terminal interrupts the whole process group; a child waits for its parent's word.
    if (underParent) return;
    const nowMs = performance.now();
    if (stopping && nowMs - stoppingAtMs >= SAME_INTERRUPT_MS) process.exit(INTERRUPTED);
    stop('received SIGINT');
  };
  const onReload = (): void => node.reload?.();
  const onDump = (): void => node.dumpTrace?.();
  const onException = (error: Error): void => crash('uncaught exception', error);
  const onRejection = (error: unknown): void => crash('unhandled rejection', error);
  const onParentGone = (): void => stop('the parent process has gone');
  process.on('SIGTERM', onTerminate);
  process.on('SIGINT', onInterrupt);
  process.on('SIGUSR2', onDump);
  process.on('SIGHUP', onReload);
  process.on('uncaughtException', onException);
  process.on('unhandledRejection', onRejection);
  if (underParent) {
    process.stdin.on('end', onParentGone).on('error', onParentGone).resume();
  }
  const release = (): void => {
    process.off('SIGTERM', onTerminate);
    process.off('SIGINT', onInterrupt);
    process.off('SIGUSR2', onDump);
    process.off('SIGHUP', onReload);
    process.off('uncaughtException', onException);
    process.off('unhandledRejection', onRejection);
    process.stdin.pause();
  };
  return { release, isStopping: () => stopping };
}
