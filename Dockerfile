# One image for every process of a cluster: the command names which (see compose.yaml).
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# No install scripts: the image has its Node, and esbuild's program comes inside its package.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY . .
RUN node cli/bundle.ts --out /app

FROM ${NODE_IMAGE}
COPY --from=build /app /app
RUN mkdir -p /state /bus /store /control && chown 10001:10001 /state /bus /store /control
USER 10001:10001
WORKDIR /app
ENV NODE_ENV=production PODWIRE_STATE_DIR=/state
CMD ["node", "podwire.mjs", "--help"]
