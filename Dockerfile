# Builds with: docker build -t pgluthier .
# The embedded PostgreSQL servers (the what-if twin, and the store where PGLUTHIER_STORE_URL is not set) need glibc:
# the base has to be Debian, not Alpine.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY jobs jobs
RUN npm run build

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# npm does not pack symbolic links. The service could make up for it, but not where it may not write, as below.
RUN npm ci --omit=dev --ignore-scripts \
  && for package in node_modules/embedded-pg*; do (cd "$package" && node scripts/hydrate-symlinks.js) || exit 1; done

FROM node:24-bookworm-slim
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY sql sql
RUN install -d -o node -g node -m 0711 /var/lib/pgluthier
ENV NODE_ENV=production \
  PGLUTHIER_HOST=0.0.0.0 \
  PGLUTHIER_PORT=8420 \
  PGLUTHIER_DATA_DIR=/var/lib/pgluthier
USER node
VOLUME /var/lib/pgluthier
EXPOSE 8420
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PGLUTHIER_PORT}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/src/main.js", "serve"]
