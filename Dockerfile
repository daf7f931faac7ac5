# Built in one stage, run in another: the image holds the program, the CA roots are compiled in.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY config config
COPY benches benches
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN cargo build --release --locked --bin keng

FROM debian:bookworm-slim
RUN groupadd --system --gid 10001 keng && useradd --system --uid 10001 --gid keng --home-dir /var/lib/keng keng \
    && install -d -o keng -g keng /var/lib/keng /etc/keng
COPY --from=build /build/target/release/keng /usr/local/bin/keng
USER keng
WORKDIR /var/lib/keng
# The store: [store] path = "/var/lib/keng/data" in the config.
VOLUME /var/lib/keng
EXPOSE 8080
# `keng health` asks the running program over HTTP, so that the image needs no curl.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["keng", "health", "--config", "/etc/keng/ward.toml"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["keng"]
CMD ["serve", "--config", "/etc/keng/ward.toml"]
