/** An engine that commits only after the log is durable up to what the commit holds. */
import type { Engine, FlushBatch } from '../../storage/engine.ts';
import type { EngineError } from '../../storage/errors.ts';
import type { GroupId } from '../accord/topology/group-id.ts';

export class LogFirstEngine implements Engine {
  readonly #engine: Engine;
  readonly #whenLogged: (proceed: () => void) => void;

  constructor(engine: Engine, whenLogged: (proceed: () => void) => void) {
    this.#engine = engine;
    this.#whenLogged = whenLogged;
  }

  get groups(): Engine['groups'] {
    return this.#engine.groups;
  }

  metaOf(group: GroupId): ReturnType<Engine['metaOf']> {
    return this.#engine.metaOf(group);
  }

  countsOf(group: GroupId): ReturnType<Engine['countsOf']> {
    return this.#engine.countsOf(group);
  }

  get appliedTotal(): number {
    return this.#engine.appliedTotal;
  }

  get(...key: Parameters<Engine['get']>): ReturnType<Engine['get']> {
    return this.#engine.get(...key);
  }

  get isSlow(): boolean {
    return this.#engine.isSlow;
  }

  readAhead(...rows: Parameters<Engine['readAhead']>): void {
    this.#engine.readAhead(...rows);
  }

  page(...range: Parameters<Engine['page']>): ReturnType<Engine['page']> {
    return this.#engine.page(...range);
  }

  rows(...which: Parameters<Engine['rows']>): ReturnType<Engine['rows']> {
    return this.#engine.rows(...which);
  }

  get hasDropped(): boolean {
    return this.#engine.hasDropped;
  }

  snapshot(): ReturnType<Engine['snapshot']> {
    return this.#engine.snapshot();
  }

  commit(batches: readonly FlushBatch[], done: (error: EngineError | undefined) => void): void {
    this.#whenLogged(() => this.#engine.commit(batches, done));
  }

  close(closed?: () => void): void {
    this.#engine.close(closed);
  }
}
