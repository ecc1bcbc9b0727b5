/**
 * Executor: opens the engine, then runs (`running-executor.ts`). A commit of the incarnation before
 * must have landed or be lost before anything is read from the engine.
 */
import type { Engine } from '../../storage/engine.ts';
import { EngineError } from '../../storage/errors.ts';
import { LineageError } from '../log/lineage.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import type { ExecutorMessage } from './messages.ts';
import { RunningExecutor, type RunningOptions } from './running-executor.ts';

interface ExecutorOptions extends RunningOptions {
  /** undefined while the engine of the incarnation before is still closing. */
  readonly openEngine: () => Engine | undefined;
  /** Units and reads of clients that may wait while the engine is opened. */
  readonly earlyMax?: number | undefined;
}

/** How soon a store that is still closing is tried again. */
const OPEN_AGAIN_MS = 5;
/** Units and reads of clients that wait for the engine. */
const EARLY_MAX = 65_536;

export function executorActor(
  context: ActorContext<ExecutorMessage>,
  options: ExecutorOptions,
): Behavior<ExecutorMessage> {
  let running: RunningExecutor | undefined;
  let early: ExecutorMessage[] = [];

  function open(): void {
    try {
      const engine = options.openEngine();
      // It reads the rows of groups and of settings.
      if (engine !== undefined) running = new RunningExecutor(context, options, engine);
    } catch (error) {
      // A restart does not bring back missing or damaged files.
      if (error instanceof LineageError || error instanceof EngineError) context.fatal(error);
      throw error;
    }
    if (running === undefined) {
      context.timers.start('open', OPEN_AGAIN_MS, { type: 'Open' });
      return;
    }
    for (const message of early) running.receive(message);
    early = [];
  }

  open();
  return {
    receive(message) {
      if (message.type === 'Open') open();
      else if (running !== undefined) running.receive(message);
      else early = heldBack(early, message, options.earlyMax ?? EARLY_MAX);
    },
    turnEnd: () => running?.turnEnd(),
    stopped: () => running?.stopped(),
    describe: () => running?.describe() ?? { opening: true },
  };
}

/**
 * The messages to receive once the engine is open. Executions and reads that arrive this early were
 * meant for the previous incarnation. A client whose message finds no room times out.
 */
function heldBack(
  early: ExecutorMessage[],
  message: ExecutorMessage,
  earlyMax: number,
): ExecutorMessage[] {
  switch (message.type) {
    case 'Expect':
    case 'ExpectRead':
      if (early.length < earlyMax) early.push(message);
      return early;
    case 'Forget':
      return early.filter((held) => held.type !== 'Expect' || held.key !== message.key);
    case 'ForgetAll':
      return [];
    case 'ForgetRead':
      return early.filter((held) => held.type !== 'ExpectRead' || held.token !== message.token);
    default:
      return early;
  }
}
