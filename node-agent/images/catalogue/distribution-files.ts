/** Files by which scripts tell the distribution of an image. */
export const ALPINE_FILES: Readonly<Record<string, string>> = {
  '/etc/alpine-release': '3.21.0\n',
  '/etc/os-release': 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.21.0\nPRETTY_NAME="Alpine Linux v3.21"\n',
};

export const DEBIAN_FILES: Readonly<Record<string, string>> = {
  '/etc/debian_version': '12.9\n',
  '/etc/os-release':
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
};
