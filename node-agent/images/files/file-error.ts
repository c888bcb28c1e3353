/** File system errors with Linux' codes and the C library's sentences. */
const SENTENCES = {
  ENOENT: 'No such file or directory',
  EEXIST: 'File exists',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  ENOTEMPTY: 'Directory not empty',
  EACCES: 'Permission denied',
  EROFS: 'Read-only file system',
  ELOOP: 'Too many levels of symbolic links',
  EINVAL: 'Invalid argument',
  EBUSY: 'Device or resource busy',
  ENOSPC: 'No space left on device',
  ENXIO: 'No such device or address',
  EPERM: 'Operation not permitted',
} as const;

export type FileErrorCode = keyof typeof SENTENCES;

export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code: FileErrorCode;
  readonly path: string;

  /** The message is the bare sentence; programs put their name and the path before it in their own way. */
  constructor(code: FileErrorCode, path: string) {
    super(SENTENCES[code]);
    this.code = code;
    this.path = path;
  }
}
