# The server and the command line in a container: docker build -t profile-export .
# A store is mounted at /data; the server listens on port 8080 and, since others than the container reach it, wants a
# token file, and to be told that it is in the clear: docker run -v STORE:/data -p 127.0.0.1:8080:8080 profile-export serve
# --listen 0.0.0.0:8080 --allow-clear-text --token-file /data/tokens (docs/tls.md)
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --locked --release -p profile-export-cli --features cloud

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 profile-export && install -d -o profile-export /data
COPY --from=build /build/target/release/profile-export /usr/local/bin/profile-export
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/profile-export/
USER profile-export
ENV PROFILE_EXPORT_STORE=/data/store
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["profile-export"]
CMD ["--help"]
