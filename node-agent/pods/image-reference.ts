/** What is wrong with an image reference, in the words that `kubectl describe` shows; pure. */
const REFERENCE =
  /^(?:[a-zA-Z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$/;

export function isImageReference(reference: string): boolean {
  return REFERENCE.test(reference);
}

export interface ImageProblem {
  /** The waiting reason: `InvalidImageName`, `ErrImageNeverPull`, `ErrImagePull`. */
  readonly reason: string;
  readonly message: string;
}

/** Why an image that no runtime has cannot be used, and what would help. */
export function imageProblem(
  reference: string,
  pullPolicy: string | undefined,
  known: readonly string[],
): ImageProblem {
  if (!isImageReference(reference)) {
    const message = `Failed to apply default image tag "${reference}": couldn't parse image name "${reference}": invalid reference format`;
    return { reason: 'InvalidImageName', message };
  }
  if (pullPolicy === 'Never') {
    return {
      reason: 'ErrImageNeverPull',
      message: `Container image "${reference}" is not present with pull policy of Never`,
    };
  }
  const message =
    `failed to pull image "${reference}": there is no emulated image of this name. ` +
    `Images that exist: ${known.join(', ')}. A new one is one TypeScript file, see node-agent/images/README.md.`;
  return { reason: 'ErrImagePull', message };
}
