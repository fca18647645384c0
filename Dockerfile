# The server as an image: one static binary, no shell, no root.
#
#   docker build -t popelago .
#   docker run -v ./popelago.toml:/etc/popelago/popelago.toml:ro -v popelago:/var/lib/popelago popelago
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /out/popelago ./cmd/popelago && mkdir -m 700 /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/popelago /usr/local/bin/popelago
# A new volume mounted here gets this owner.
COPY --from=build --chown=65532:65532 /out/data /var/lib/popelago
USER 65532:65532
WORKDIR /var/lib/popelago
ENTRYPOINT ["/usr/local/bin/popelago"]
CMD ["serve", "--config", "/etc/popelago/popelago.toml"]
