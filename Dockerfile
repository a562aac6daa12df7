# A node of Kryder. The first stage compiles, the second fetches what runs, the third holds nothing but that:
# no compiler, no development packages, no package manager's cache, and a user who is not root.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npx tsc -p tsconfig.build.json

FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist/src dist/src
COPY package.json LICENSE ./
COPY genesis genesis
# Volumes that are mounted here for the first time belong to the user who needs them.
RUN install -d -o node -g node -m 700 /data \
 && for name in genesis owner follower validator-0 validator-1 validator-2 validator-3; do \
      install -d -o node -g node -m 700 "/volumes/$name"; done \
 && ln -s /app/dist/src/cli/main.js /usr/local/bin/kryder \
 && chmod 755 dist/src/cli/main.js
USER node
VOLUME /data
EXPOSE 7070 7300
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7070/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["kryder"]
CMD ["node", "--dir", "/data"]
