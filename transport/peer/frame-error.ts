/**
 * The only error that decoding throws, whatever bytes a peer sends. The peer actor counts it and
 * drops the frame; the protocol repairs the loss.
 */
type FrameErrorCode =
  | 'HOLO_FRAME_TRUNCATED'
  | 'HOLO_FRAME_VERSION'
  | 'HOLO_FRAME_CHECKSUM'
  | 'HOLO_FRAME_CONTENT'
  | 'HOLO_FRAME_TOO_LARGE';

export class FrameError extends Error {
  readonly code: FrameErrorCode;

  constructor(code: FrameErrorCode, message: string) {
    super(message);
    this.name = 'FrameError';
    this.code = code;
  }
}
