/** The images that exist, and how a reference (`registry/name:tag@digest`) finds one. */
import { agnhostImage } from './catalogue/agnhost/agnhost.ts';
import { alpineImage } from './catalogue/alpine.ts';
import { busyboxImage } from './catalogue/busybox.ts';
import { awsVpcImage } from './catalogue/cni/aws-vpc.ts';
import { azureCnsImage } from './catalogue/cni/azure-cns.ts';
import { calicoImage } from './catalogue/cni/calico.ts';
import { ciliumImage } from './catalogue/cni/cilium.ts';
import { flannelImage } from './catalogue/cni/flannel.ts';
import { kubeRouterImage } from './catalogue/cni/kube-router.ts';
import { weaveImage } from './catalogue/cni/weave.ts';
import { curlImage } from './catalogue/curl.ts';
import { echoAdvancedImage } from './catalogue/echo/echo-advanced.ts';
import { echoBasicImage } from './catalogue/echo/echo-basic.ts';
import { httpEchoImage } from './catalogue/http-echo.ts';
import { httpbinImage } from './catalogue/httpbin/httpbin.ts';
import { httpdImage } from './catalogue/httpd.ts';
import { jessieDnsutilsImage } from './catalogue/jessie-dnsutils.ts';
import { netshootImage } from './catalogue/netshoot.ts';
import { nginxImage, nginxUnprivilegedImage } from './catalogue/nginx/nginx.ts';
import { nodeImage } from './catalogue/node.ts';
import { pauseImage } from './catalogue/pause.ts';
import { jsonMockImage } from './catalogue/star-wars/json-mock.ts';
import { starwarsImage } from './catalogue/star-wars/starwars.ts';
import { whoamiImage } from './catalogue/whoami.ts';
import type { Image } from './image.ts';
import { OWN_IMAGES } from './own-images.ts';

/** One file (or folder) of `catalogue/` an image. */
const IMAGES: readonly Image[] = [
  ...OWN_IMAGES,
  agnhostImage,
  alpineImage,
  awsVpcImage,
  azureCnsImage,
  busyboxImage,
  calicoImage,
  ciliumImage,
  curlImage,
  echoAdvancedImage,
  echoBasicImage,
  flannelImage,
  httpEchoImage,
  httpbinImage,
  httpdImage,
  jessieDnsutilsImage,
  jsonMockImage,
  kubeRouterImage,
  netshootImage,
  nginxImage,
  nginxUnprivilegedImage,
  nodeImage,
  pauseImage,
  starwarsImage,
  weaveImage,
  whoamiImage,
];

/** Any registry host, tag and digest is accepted: `docker.io/library/nginx:1.27@sha256:...` is `nginx`. */
export function findImage(reference: string): Image | undefined {
  const repository = repositoryOf(reference);
  return IMAGES.find((image) =>
    image.repositories.some((name) => repository === name || repository.endsWith(`/${name}`)),
  );
}

/** One name an image, sorted: for the text that says what exists. */
export function imageNames(): string[] {
  return IMAGES.map((image) => image.repositories[0] ?? '').sort();
}

/** The reference without tag and digest. */
export function repositoryOf(reference: string): string {
  const withoutDigest = reference.split('@', 1)[0] ?? '';
  const slash = withoutDigest.lastIndexOf('/');
  const colon = withoutDigest.indexOf(':', slash + 1);
  return colon < 0 ? withoutDigest : withoutDigest.slice(0, colon);
}
