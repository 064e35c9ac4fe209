# The server and the command line in a container: docker build -t profile-export .
# A store is mounted at /data; the server listens on port 8080 and, since others than this machine reach it, wants a
# token file: docker run -v STORE:/data -p 8080:8080 profile-export serve --listen 0.0.0.0:8080 --token-file /data/tokens
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
