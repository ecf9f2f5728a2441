# medspan serve with its models inside: no network is needed or used once the image is built.
#
#   docker build -t medspan .
#   docker run --rm -v "$PWD:/keys" -u "$(id -u)" medspan --keys /keys/medspan-keys --add-key me
#   docker run --rm -p 127.0.0.1:8080:8080 -v "$PWD/medspan-keys:/run/secrets/medspan-keys:ro" \
#     --read-only --tmpfs /tmp --cap-drop ALL medspan --keys /run/secrets/medspan-keys
#
# docs/deploy.md says more.

FROM python:3.12-slim-bookworm AS build

WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
 && python -m venv --without-pip /opt/medspan \
 && wheel="$(echo /wheels/medspan-*.whl)" \
 && python -m pip --python /opt/medspan/bin/python install --no-cache-dir "${wheel}[serve]"

FROM python:3.12-slim-bookworm

# Compiled when it was installed; at run time nothing but /tmp need be writable.
ENV PATH=/opt/medspan/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MEDSPAN_CACHE=/tmp/medspan \
    ORT_DISABLE_TELEMETRY=1

COPY --from=build /opt/medspan /opt/medspan

# A number, so that Kubernetes can see that it is not root; it needs no entry in /etc/passwd.
USER 10001:10001
WORKDIR /tmp

EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]

# Others than this container can reach it, so it starts only with --keys FILE.
ENTRYPOINT ["medspan", "serve", "--host", "0.0.0.0"]
