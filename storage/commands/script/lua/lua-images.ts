/** Images of the memory by the source that led to them; those used last, up to a size. Pure. */
import type { LuaImage } from './lua-machine.ts';

interface WithImage {
  readonly image: LuaImage;
}

export class LuaImages<T extends WithImage> {
  readonly #bytesMax: number;
  readonly #kept = new Map<string, T>();
  #bytes = 0;
  /** The one that was asked for last: most pipelines repeat one. */
  #recent: { readonly source: string; readonly kept: T } | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(source: string): T | undefined {
    if (this.#recent?.source === source) return this.#recent.kept;
    const kept = this.#kept.get(source);
    if (kept === undefined) return undefined;
    this.#kept.delete(source);
    this.#kept.set(source, kept);
    this.#recent = { source, kept };
    return kept;
  }

  set(source: string, kept: T): void {
    this.#kept.set(source, kept);
    this.#bytes += bytesOf(source, kept);
    this.#recent = undefined;
    for (const [oldest, its] of this.#kept) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#kept.delete(oldest);
      this.#bytes -= bytesOf(oldest, its);
    }
  }
}

function bytesOf(source: string, { image }: WithImage): number {
  return source.length + image.below.length + image.behind.length;
}
