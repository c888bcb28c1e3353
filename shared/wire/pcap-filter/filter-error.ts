/** A filter that cannot be understood: what is wrong, where, and what would be right. */
export class FilterError extends Error {
  override readonly name = 'FilterError';
  /** Characters of the text before the place. */
  readonly position: number;

  constructor(message: string, position: number) {
    super(`${message} (character ${position + 1} of the filter)`);
    this.position = position;
  }
}
