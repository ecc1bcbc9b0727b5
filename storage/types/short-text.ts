/**
 * Short byte strings, written out case by case because this is the one place where it pays: every
 * key and most values of every command pass here. Used by `Arguments`; knows nothing of commands.
 */

export const SHORT_TEXT_BYTES_MAX = 16;

/**
 * Up to 16 bytes as a string. A call into the runtime costs more than reading the bytes here
 * (about 85 against 10 to 30 ns), and most keys and values are short.
 */
export function shortText(b: Buffer, s: number, length: number): string {
  switch (length) {
    case 0:
      return '';
    case 1:
      return String.fromCharCode(byteAt(b, s));
    case 2:
      return String.fromCharCode(byteAt(b, s), byteAt(b, s + 1));
    case 3:
      return String.fromCharCode(byteAt(b, s), byteAt(b, s + 1), byteAt(b, s + 2));
    case 4:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
      );
    case 5:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
      );
    case 6:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
        byteAt(b, s + 5),
      );
    case 7:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
        byteAt(b, s + 5),
        byteAt(b, s + 6),
      );
    case 8:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
        byteAt(b, s + 5),
        byteAt(b, s + 6),
        byteAt(b, s + 7),
      );
    case 9:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
        byteAt(b, s + 5),
        byteAt(b, s + 6),
        byteAt(b, s + 7),
        byteAt(b, s + 8),
      );
    case 10:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
        byteAt(b, s + 5),
        byteAt(b, s + 6),
        byteAt(b, s + 7),
        byteAt(b, s + 8),
        byteAt(b, s + 9),
      );
    case 11:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
        byteAt(b, s + 5),
        byteAt(b, s + 6),
        byteAt(b, s + 7),
        byteAt(b, s + 8),
        byteAt(b, s + 9),
        byteAt(b, s + 10),
      );
    case 12:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
        byteAt(b, s + 5),
        byteAt(b, s + 6),
        byteAt(b, s + 7),
        byteAt(b, s + 8),
        byteAt(b, s + 9),
        byteAt(b, s + 10),
        byteAt(b, s + 11),
      );
    case 13:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
        byteAt(b, s + 5),
        byteAt(b, s + 6),
        byteAt(b, s + 7),
        byteAt(b, s + 8),
        byteAt(b, s + 9),
        byteAt(b, s + 10),
        byteAt(b, s + 11),
        byteAt(b, s + 12),
      );
    case 14:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
        byteAt(b, s + 5),
        byteAt(b, s + 6),
        byteAt(b, s + 7),
        byteAt(b, s + 8),
        byteAt(b, s + 9),
        byteAt(b, s + 10),
        byteAt(b, s + 11),
        byteAt(b, s + 12),
        byteAt(b, s + 13),
      );
    case 15:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
        byteAt(b, s + 5),
        byteAt(b, s + 6),
        byteAt(b, s + 7),
        byteAt(b, s + 8),
        byteAt(b, s + 9),
        byteAt(b, s + 10),
        byteAt(b, s + 11),
        byteAt(b, s + 12),
        byteAt(b, s + 13),
        byteAt(b, s + 14),
      );
    default:
      return String.fromCharCode(
        byteAt(b, s),
        byteAt(b, s + 1),
        byteAt(b, s + 2),
        byteAt(b, s + 3),
        byteAt(b, s + 4),
        byteAt(b, s + 5),
        byteAt(b, s + 6),
        byteAt(b, s + 7),
        byteAt(b, s + 8),
        byteAt(b, s + 9),
        byteAt(b, s + 10),
        byteAt(b, s + 11),
        byteAt(b, s + 12),
        byteAt(b, s + 13),
        byteAt(b, s + 14),
        byteAt(b, s + 15),
      );
  }
}

function byteAt(buffer: Buffer, at: number): number {
  return buffer[at] as number;
}
