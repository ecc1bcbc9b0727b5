/** Runs commands of the gateway for one connection, and counts them. */
import type { ReplyWriter } from '../codec/encoder.ts';
import type { LocalContext, LocalRoute } from '../routes.ts';
import type { ClientState } from './client-state.ts';
import type { MultiBlock } from './multi-block.ts';
import type { ExecLocal } from './unit-under-way.ts';

interface LocalOwner extends LocalContext {
  readonly client: ClientState;
  inExec: boolean;
}

export class LocalRuns {
  readonly #owner: LocalOwner;
  /** The writer's error count when it was last read. */
  #errorsBefore = 0;

  constructor(owner: LocalOwner) {
    this.#owner = owner;
  }

  run(route: LocalRoute, args: readonly string[], out: ReplyWriter): void {
    const owner = this.#owner;
    const { clock } = owner.services;
    const startMs = clock.monotonicMs();
    route.calls += 1;
    owner.counters.commands += 1;
    this.#errorsBefore = out.errors;
    route.local.run(owner, args, out);
    const tookMs = clock.monotonicMs() - startMs;
    route.usec += tookMs * 1000;
    owner.routes.latency(route, tookMs * 1000);
    const told = route.local.isSecret === true ? args.slice(0, 1) : args;
    owner.insight.localDone(owner.client, route.local, told, tookMs);
    // An error inside EXEC is not counted for EXEC itself.
    if (out.errors === this.#errorsBefore) return;
    this.#errorsBefore = out.errors;
    route.failed += 1;
  }

  /** Those that a block holds, until `isTooLong`. */
  runQueued(
    block: MultiBlock,
    out: ReplyWriter,
    isTooLong: (bytes: number) => boolean,
  ): ExecLocal[] {
    const replies: ExecLocal[] = [];
    let bytes = 0;
    for (const { before, route, args } of block.locals) {
      const reply = this.#inExec(route, args, out);
      replies.push({ before, reply });
      bytes += reply.length;
      if (isTooLong(bytes)) break;
    }
    return replies;
  }

  /** Each runs when its turn comes, if it comes: when the block has not been stopped. */
  queuedForLater(block: MultiBlock, out: () => ReplyWriter): ExecLocal[] {
    return block.locals.map(({ before, route, args }) => ({
      before,
      reply: () => this.#inExec(route, args, out()),
    }));
  }

  #inExec(route: LocalRoute, args: readonly string[], out: ReplyWriter): Uint8Array {
    this.#owner.inExec = true;
    this.run(route, args, out);
    this.#owner.inExec = false;
    return out.take();
  }
}
