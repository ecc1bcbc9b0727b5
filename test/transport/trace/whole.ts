/** Exports as one text. */
import { otlpPieces } from '../../../transport/trace/export-otlp.ts';
import { perfettoPieces } from '../../../transport/trace/export-perfetto.ts';
import { shivizLines } from '../../../transport/trace/export-shiviz.ts';
import type { TraceEvent } from '../../../transport/trace/trace-event.ts';

export function toPerfetto(...args: Parameters<typeof perfettoPieces>): string {
  return [...perfettoPieces(...args)].join('');
}

export function toShiviz(...args: Parameters<typeof shivizLines>): string {
  return [...shivizLines(...args)].join('');
}

export function toOtlp(...args: Parameters<typeof otlpPieces>): string {
  return [...otlpPieces(...args)].join('');
}

/** One JSON object per line. */
export function toJsonl(events: readonly TraceEvent[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join('');
}
