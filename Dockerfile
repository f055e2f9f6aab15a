# Tongguan: `docker build -t tongguan .`, then `docker run tongguan --help`
FROM python:3.11.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/tongguan
WORKDIR /src
COPY requirements.lock .
RUN /opt/tongguan/bin/pip install --require-hashes -r requirements.lock
COPY . .
RUN /opt/tongguan/bin/pip install setuptools==80.9.0 \
 && /opt/tongguan/bin/pip install --no-deps --no-build-isolation . \
 && /opt/tongguan/bin/pip uninstall -y setuptools
# compiled kernels for a processor like this one; another one compiles its own into the volume at its first start
ENV NUMBA_CACHE_DIR=/var/cache/tongguan
RUN mkdir -p "$NUMBA_CACHE_DIR" && /opt/tongguan/bin/tongguan rules test rules/library

FROM python:3.11.13-slim-bookworm
RUN groupadd --gid 10001 tongguan \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/tongguan --shell /usr/sbin/nologin tongguan \
 && install -d -o tongguan -g tongguan -m 0750 /var/lib/tongguan /etc/tongguan
COPY --from=build /opt/tongguan /opt/tongguan
COPY --from=build --chown=tongguan:tongguan /var/cache/tongguan /var/cache/tongguan
ENV PATH=/opt/tongguan/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 NUMBA_CACHE_DIR=/var/cache/tongguan
# settings: /etc/tongguan/tongguan.toml if there is one, and TONGGUAN_* of the environment
WORKDIR /etc/tongguan
VOLUME ["/var/cache/tongguan"]
USER tongguan
EXPOSE 8080 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9464/healthz', timeout=4)"]
ENTRYPOINT ["tongguan"]
CMD ["--help"]
