/** The clients of the linearizability check as far as collections go, and their history. */
import { orderedReply } from '../verify/collection-commands.ts';
import { type History, HistoryRecorder, type Json } from '../verify/history.ts';
import type { CheckTally } from './check-tally.ts';
import type { Client, Outcome, Words } from './client.ts';
import {
  type CollectionRequest,
  drawRead,
  drawRequest,
  GROUPS,
  type GroupName,
  readsOf,
  type ValueSource,
} from './collection-requests.ts';

type Watched = Extract<CollectionRequest, { type: 'watched' }>;

export class CollectionClients {
  readonly #recorder: HistoryRecorder;
  readonly #tally: CheckTally;
  readonly #values: ValueSource;
  /** Every group that was used. */
  readonly #groups = new Map<string, GroupName>();

  constructor(nowUs: () => number, tally: CheckTally, values: ValueSource) {
    this.#recorder = new HistoryRecorder('collections', nowUs);
    this.#tally = tally;
    this.#values = values;
  }

  history(): History {
    return this.#recorder.history();
  }

  /** `groupOf` gives one of the groups of a sort that are in use now. */
  act(
    client: Client,
    process: number,
    groupOf: (name: GroupName) => string,
  ): Promise<Outcome['type']> {
    const name = this.#draw();
    const group = groupOf(name);
    this.#groups.set(group, name);
    return this.#send(client, process, drawRequest(name, group, this.#values));
  }

  read(
    client: Client,
    process: number,
    groupOf: (name: GroupName) => string,
  ): Promise<Outcome['type']> {
    const name = this.#draw();
    return this.#send(client, process, drawRead(name, groupOf(name)));
  }

  /** Each group once more. */
  async readAll(client: Client, process: number): Promise<void> {
    for (const [group, name] of this.#groups) {
      const commands = readsOf(name, group);
      await this.#send(client, process, { type: 'block', group, commands });
    }
  }

  #draw(): GroupName {
    return GROUPS[Math.floor(Math.random() * GROUPS.length)] ?? 'mixed';
  }

  async #send(
    client: Client,
    process: number,
    request: CollectionRequest,
  ): Promise<Outcome['type']> {
    const { group } = request;
    switch (request.type) {
      case 'one': {
        const [kind, ...args] = request.words;
        const id = this.#recorder.invoke(process, kind, [group], args);
        const outcome = await client.run(...request.words);
        return this.#tally.finish(this.#recorder, id, outcome, (reply) =>
          orderedReply(request.words, reply as Json),
        );
      }
      case 'block': {
        const { commands } = request;
        const id = this.#recorder.invoke(process, 'MULTI', [group], commands);
        const outcome = await client.transaction(commands);
        return this.#tally.finish(this.#recorder, id, outcome, (reply) =>
          repliesOf(commands, reply),
        );
      }
      case 'watched':
        return this.#sendWatched(client, process, request);
    }
  }

  async #sendWatched(
    client: Client,
    process: number,
    { group, read, commands }: Watched,
  ): Promise<Outcome['type']> {
    let open: Outcome['type'] | undefined;
    let id: number | undefined;
    const outcome = await client.watching(read[1] ?? '', async () => {
      const [kind, ...args] = read;
      const first = this.#recorder.invoke(process, kind, [group], args);
      const found = await client.run(...read);
      const told = (reply: unknown): Json => orderedReply(read, reply as Json);
      const type = this.#tally.finish(this.#recorder, first, found, told);
      if (found.type !== 'ok') {
        open = type;
        return undefined;
      }
      const block = [[...read], told(found.reply), ...commands];
      id = this.#recorder.invoke(process, 'EXEC', [group], block);
      return commands;
    });
    if (id === undefined) return open ?? 'refused';
    return this.#tally.finishWatched(this.#recorder, id, outcome, (reply) =>
      repliesOf(commands, reply),
    );
  }
}

function repliesOf(commands: readonly Words[], replies: unknown): Json {
  return commands.map((words, at) => orderedReply(words, (replies as Json[])[at] ?? null));
}
