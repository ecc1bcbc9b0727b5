/**
 * The node's logger: JSON lines for machines, readable ones on a terminal. Synchronous, so that the
 * last line before an end is never the one that is missing.
 */
import {
  type DestinationStream,
  type Logger,
  type LoggerOptions,
  pino,
  stdSerializers,
} from 'pino';
import pretty from 'pino-pretty';
import { escapeLine, escapeText } from '../../transport/escape.ts';
import type { LogRing } from './log-ring.ts';
import type { NodeConfig } from './settings/config.ts';

export function createLogger(
  config: Pick<NodeConfig, 'nodeId' | 'logLevel' | 'logFormat'>,
  isTerminal: boolean,
  ring?: LogRing,
): Logger {
  const options = { level: config.logLevel, base: { node: config.nodeId }, ...HARMLESS };
  const readable = config.logFormat === 'pretty' || (config.logFormat === 'auto' && isTerminal);
  if (readable) {
    const colorize = isTerminal;
    const terminal = pretty({ colorize, sync: true, ignore: 'node', singleLine: true });
    return pino(options, both(terminal, ring));
  }
  const destination = pino.destination({ fd: 1, sync: true });
  // The reader of the log is gone; that must not end the node.
  destination.on('error', () => undefined);
  return pino(options, both(destination, ring));
}

function both(destination: DestinationStream, ring: LogRing | undefined): DestinationStream {
  if (ring === undefined) return destination;
  return {
    write(line) {
      ring.write(line);
      destination.write(line);
    },
  };
}

/** A peer's or a client's words may be in a line: they are shown, and cannot act. */
const HARMLESS: LoggerOptions = {
  hooks: {
    logMethod(args, method) {
      method.apply(this, args.map(harmless) as Parameters<typeof method>);
    },
  },
  serializers: {
    err(error: unknown) {
      const { type, message, stack } = stdSerializers.err(error as Error);
      return { type, message: escapeLine(message), stack: escapeText(stack) };
    },
  },
};

function harmless(value: unknown): unknown {
  if (typeof value === 'string') return escapeLine(value);
  if (Array.isArray(value)) return value.map(harmless);
  if (typeof value !== 'object' || value === null || value instanceof Error) return value;
  const isPlain = Object.getPrototypeOf(value) === Object.prototype;
  if (!isPlain) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, harmless(field)]));
}
