/** nginx: serves /usr/share/nginx/html on port 80, or whatever a mounted /etc/nginx/nginx.conf or conf.d says. */
import { ALL_NETWORK } from '../../commands/toolset.ts';
import { BASH, COREUTILS } from '../../coreutils/toolset.ts';
import { type Image, lazyProgram } from '../../image.ts';
import { DEBIAN_FILES } from '../distribution-files.ts';

const nginx = lazyProgram(async () => (await import('./command.ts')).nginx);

const NGINX_CONF = `user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;
events {
    worker_connections 1024;
}
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" "$http_x_forwarded_for"';
    access_log /var/log/nginx/access.log main;
    sendfile on;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
`;

const DEFAULT_CONF = (port: number): string => `server {
    listen ${port};
    server_name localhost;
    location / {
        root /usr/share/nginx/html;
        index index.html index.htm;
    }
    error_page 500 502 503 504 /50x.html;
    location = /50x.html {
        root /usr/share/nginx/html;
    }
}
`;

const INDEX = `<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page comes with the image. Mount your own files over /usr/share/nginx/html to serve those.</p>
</body>
</html>
`;

const FAILURE = `<!DOCTYPE html>
<html>
<head><title>Error</title></head>
<body><h1>An error occurred.</h1></body>
</html>
`;

function image(repositories: readonly string[], port: number): Image {
  return {
    repositories,
    defaultCommand: ['nginx', '-g', 'daemon off;'],
    programs: { ...COREUTILS, ...BASH, ...ALL_NETWORK, nginx },
    environment: { NGINX_VERSION: '1.27.5' },
    files: {
      ...DEBIAN_FILES,
      '/etc/nginx/nginx.conf': NGINX_CONF,
      '/etc/nginx/mime.types': 'types {\n    text/html html htm;\n}\n',
      '/etc/nginx/conf.d/default.conf': DEFAULT_CONF(port),
      '/usr/share/nginx/html/index.html': INDEX,
      '/usr/share/nginx/html/50x.html': FAILURE,
    },
  };
}

export const nginxImage = image(['nginx'], 80);

export const nginxUnprivilegedImage = image(['nginx-unprivileged'], 8080);
