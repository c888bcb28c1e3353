/** Names of images: `[registry/]repository[:tag][@digest]`. */

export interface ImageReference {
  /** With the registry, as written: `registry.k8s.io/coredns/coredns`. */
  readonly repository: string;
  /** `latest` when neither tag nor digest is given. */
  readonly tag: string | undefined;
  /** `sha256:...`. */
  readonly digest: string | undefined;
}

/** A colon before the last slash belongs to the registry's port. */
export function parseImageReference(image: string): ImageReference {
  const at = image.indexOf('@');
  const digest = at === -1 ? undefined : image.slice(at + 1);
  const name = at === -1 ? image : image.slice(0, at);
  const colon = name.lastIndexOf(':');
  if (colon > name.lastIndexOf('/')) {
    return { repository: name.slice(0, colon), tag: name.slice(colon + 1), digest };
  }
  return { repository: name, tag: digest === undefined ? 'latest' : undefined, digest };
}

/** Images that may change under their name are pulled always (Kubernetes documentation, "Images"). */
export function imagePullPolicyOf(image: string): 'Always' | 'IfNotPresent' {
  return parseImageReference(image).tag === 'latest' ? 'Always' : 'IfNotPresent';
}
