/**
 * The views that the consoles of a node watch: each is gathered from all nodes once in its time
 * however many watch it, encoded once, and shown to all. Nothing is gathered while nobody watches.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeCbor } from '../cbor.ts';
import type { Args, ConsoleMessage, LiveView } from './console-protocol.ts';

/** A view as it was gathered, for all of its watchers. */
class GatheredView {
  /** As in `ConsoleMessage`. */
  readonly #body: Uint8Array;
  /** By the subscription: most pages give a view the same number. */
  readonly #messages = new Map<number, Uint8Array>();

  constructor(data: unknown) {
    this.#body = encodeCbor({ atMs: Date.now(), data });
  }

  /** The message that tells it. */
  messageTo(id: number): Uint8Array {
    const known = this.#messages.get(id);
    if (known !== undefined) return known;
    const message: ConsoleMessage = { type: 'view', id, body: this.#body };
    const bytes = encodeCbor(message);
    this.#messages.set(id, bytes);
    return bytes;
  }
}

export interface Watcher {
  show(view: GatheredView): void;
}

interface LiveViewsOptions {
  /** Gathers a view, of all nodes that it is about. */
  readonly gather: (view: LiveView, args: Args) => Promise<unknown>;
  /** The time of most views; default 1000. */
  readonly everyMs?: number | undefined;
}

interface Topic {
  readonly view: LiveView;
  readonly args: Args;
  readonly watchers: Set<Watcher>;
  latest: GatheredView | undefined;
}

const EVERY_MS = 1_000;
/** Of that time, for each view: a map of slots is large, and its columns are of five seconds. */
const TIMES: Readonly<Record<LiveView, number>> = {
  overview: 1,
  ranges: 1,
  heat: 5,
  actors: 1,
  holofast: 1,
};
/** Views with different arguments; each is gathered from all nodes. */
const TOPICS_MAX = 64;
/** Rounds without a watcher: a view that is looked at again soon is shown at once. */
const KEPT_ROUNDS = 2;

export class LiveViews {
  readonly #options: LiveViewsOptions;
  readonly #topics = new Map<string, Topic>();

  constructor(options: LiveViewsOptions) {
    this.#options = options;
  }

  /** Tells at once what is known; returns how to stop. `undefined`: too many differ already. */
  watch(view: LiveView, args: Args, watcher: Watcher): (() => void) | undefined {
    const name = JSON.stringify([view, Object.entries(args).sort()]);
    const known = this.#topics.get(name);
    if (known === undefined && this.#topics.size >= TOPICS_MAX) return undefined;
    const topic = known ?? { view, args, watchers: new Set(), latest: undefined };
    const { watchers, latest } = topic;
    watchers.add(watcher);
    if (latest !== undefined) watcher.show(latest);
    if (known === undefined) {
      this.#topics.set(name, topic);
      this.#run(name, topic).catch(() => this.#topics.delete(name));
    }
    return () => watchers.delete(watcher);
  }

  async #run(name: string, topic: Topic): Promise<void> {
    const { gather } = this.#options;
    const everyMs = (this.#options.everyMs ?? EVERY_MS) * TIMES[topic.view];
    let idle = 0;
    while (topic.watchers.size > 0 || idle < KEPT_ROUNDS) {
      const startMs = performance.now();
      if (topic.watchers.size > 0) {
        topic.latest = new GatheredView(await this.#gathered(gather, topic));
        for (const watcher of topic.watchers) watcher.show(topic.latest);
      }
      idle = topic.watchers.size > 0 ? 0 : idle + 1;
      // Not while it keeps the process alive: a node that stops closes its consoles.
      const restMs = Math.max(everyMs / 4, everyMs - (performance.now() - startMs));
      await sleep(restMs, undefined, { ref: false });
    }
    this.#topics.delete(name);
  }

  async #gathered(gather: LiveViewsOptions['gather'], { view, args }: Topic): Promise<unknown> {
    try {
      return await gather(view, args);
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  }
}
