/**
 * The node's logger: JSON lines for machines, readable ones on a terminal. Synchronous, so that the
 * last line before an end is never the one that is missing.
 */
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { NodeConfig } from './config.ts';

export function createLogger(
  config: Pick<NodeConfig, 'nodeId' | 'logLevel' | 'logFormat'>,
  isTerminal: boolean,
): Logger {
  const options = { level: config.logLevel, base: { node: config.nodeId } };
  const readable = config.logFormat === 'pretty' || (config.logFormat === 'auto' && isTerminal);
  if (readable) {
    const colorize = isTerminal;
    return pino(options, pretty({ colorize, sync: true, ignore: 'node', singleLine: true }));
  }
  const destination = pino.destination({ fd: 1, sync: true });
  // Whoever read the log has gone; that must not end the node.
  destination.on('error', () => undefined);
  return pino(options, destination);
}
