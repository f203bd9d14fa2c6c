# syntax=docker/dockerfile:1
# One image for every role: `serve` (the default), `worker`, `migrate`, `admin` …
#   docker build -t paddock .

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# The image's own toolchain; the queries were checked when they were committed.
ENV SQLX_OFFLINE=true CARGO_NET_RETRY=10
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    RUSTUP_TOOLCHAIN="$RUST_VERSION" cargo build --release --locked --bin paddock && \
    cp target/release/paddock /paddock

# Templates of the `command` provider are shell scripts and use git; a worker that runs Terraform
# templates needs an image of its own on top of this one, with `tofu` or `terraform` on the PATH.
FROM debian:bookworm-slim
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates git && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --system --uid 10001 --user-group --home-dir /var/lib/paddock --create-home paddock
COPY --from=build /paddock /usr/local/bin/paddock
USER 10001:10001
ENV PADDOCK_LISTEN=0.0.0.0:8400 \
    PADDOCK_DATA_DIR=/var/lib/paddock \
    PADDOCK_LOG_FORMAT=json
VOLUME /var/lib/paddock
EXPOSE 8400
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s CMD ["paddock", "doctor", "--live"]
ENTRYPOINT ["paddock"]
CMD ["serve"]
