# The user-code image: dagster code server, run workers, webserver and daemon all start from it.
# No secrets inside; every setting is an environment variable (stir_assets/settings.py).
FROM python:3.12-slim AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/stir
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

# Dependencies first, so that a change of code does not install them again.
COPY pyproject.toml requirements.lock README.md ./
RUN mkdir -p stir_assets && touch stir_assets/__init__.py \
    && pip install --constraint requirements.lock setuptools wheel \
    && pip install --no-build-isolation --constraint requirements.lock --editable . \
    && pip install --constraint requirements.lock dagster-k8s

COPY stir_assets stir_assets
COPY stir_dbt stir_dbt
COPY workspace.yaml dagster.yaml ./
# Parsing does not connect. Another database or a cluster: give the image's build the same STIR_CLICKHOUSE_DATABASE
# and STIR_CLICKHOUSE_CLUSTER as its containers, or each of their processes parses again.
ARG STIR_CLICKHOUSE_DATABASE=stir STIR_CLICKHOUSE_CLUSTER=
RUN python -m stir_assets.dbt.project prod

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 stir \
    && mkdir -p /opt/dagster/home /opt/stir \
    && chown -R stir:stir /opt/dagster /opt/stir
COPY --from=build /opt/venv /opt/venv
COPY --from=build --chown=stir:stir /opt/stir /opt/stir
RUN cp /opt/stir/dagster.yaml /opt/dagster/home/dagster.yaml && chown stir:stir /opt/dagster/home/dagster.yaml

ENV PATH=/opt/venv/bin:$PATH \
    DAGSTER_HOME=/opt/dagster/home \
    STIR_ENV=prod \
    PYTHONUNBUFFERED=1
WORKDIR /opt/stir
USER stir
EXPOSE 4000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["dagster", "api", "grpc-health-check", "-p", "4000"]
CMD ["dagster", "code-server", "start", "-h", "0.0.0.0", "-p", "4000", "-m", "stir_assets.definitions"]
