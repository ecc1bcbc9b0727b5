/** An engine that commits only after the log is durable up to what the commit holds. */
import type { Engine, FlushBatch } from '../../storage/engine.ts';
import type { EngineError } from '../../storage/errors.ts';

export class LogFirstEngine implements Engine {
  readonly #engine: Engine;
  readonly #whenLogged: (proceed: () => void) => void;

  constructor(engine: Engine, whenLogged: (proceed: () => void) => void) {
    this.#engine = engine;
    this.#whenLogged = whenLogged;
  }

  get meta(): Engine['meta'] {
    return this.#engine.meta;
  }

  get(...key: Parameters<Engine['get']>): ReturnType<Engine['get']> {
    return this.#engine.get(...key);
  }

  page(position: number, limit: number): ReturnType<Engine['page']> {
    return this.#engine.page(position, limit);
  }

  commit(batch: FlushBatch, done: (error: EngineError | undefined) => void): void {
    this.#whenLogged(() => this.#engine.commit(batch, done));
  }

  close(closed?: () => void): void {
    this.#engine.close(closed);
  }
}
