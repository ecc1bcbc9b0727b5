/**
 * The labels of the chunks of a list: whole numbers in the order of the chunks, by which their rows
 * lie in order on the disk. A chunk between two others takes a label between theirs; only where
 * there is none left are some neighbours labelled anew. Pure.
 */

/** Labels are between 0 and here, both excluded. */
const LABEL_END = 2 ** 48;
/** Between the labels of chunks that are added at an end. */
const LABEL_STEP = 2 ** 12;
/** The fewest neighbours that are labelled anew. */
const RELABELLED_MIN = 8;

/** A label between two others, or behind or before one; undefined: there is none left. */
export function labelBetween(
  before: number | undefined,
  after: number | undefined,
): number | undefined {
  if (before === undefined && after === undefined) return LABEL_END / 2;
  if (after === undefined) {
    const label = (before as number) + LABEL_STEP;
    return label < LABEL_END ? label : undefined;
  }
  if (before === undefined) return after > LABEL_STEP ? after - LABEL_STEP : undefined;
  return after - before > 1 ? before + Math.floor((after - before) / 2) : undefined;
}

interface Relabelling {
  /** The first chunk that gets a new label. */
  readonly from: number;
  readonly labels: readonly number[];
}

/**
 * New labels for chunks around the one at an index, which has none yet: as few of them as leave
 * twice as much room between them as they are, so that it lasts.
 */
export function relabelled(labels: readonly number[], at: number): Relabelling {
  for (let count = RELABELLED_MIN; count < labels.length; count *= 2) {
    const from = Math.max(0, Math.min(at - (count >>> 1), labels.length - count));
    const behind = from + count;
    const low = from === 0 ? 0 : (labels[from - 1] as number);
    const high = behind === labels.length ? LABEL_END : (labels[behind] as number);
    const step = Math.min(Math.floor((high - low) / (count + 1)), LABEL_STEP);
    if (step < 2 * count) continue;
    // At the ends there is more room than is wanted: the labels stay beside those they have.
    const first = from === 0 ? high - count * step : low + step;
    return { from, labels: Array.from({ length: count }, (_, i) => first + i * step) };
  }
  const step = Math.min(LABEL_STEP, Math.floor(LABEL_END / (labels.length + 1)));
  const first = Math.floor((LABEL_END - (labels.length - 1) * step) / 2);
  return { from: 0, labels: labels.map((_, i) => first + i * step) };
}
