# The project's container image, for everything that runs in a cluster:
#   binderfed-agent serve …     a member's agent, with the JupyterHub and proxy that it runs
#   python -m binder_federation.cluster_agent.stacks.repo2docker.runner …   one build
#   binderfed serve …           the federation
#
#   docker build -t binder-federation .
#
# BASE_IMAGE        any Debian-like image with Python 3.11 or newer, or with apt-get to install it
# DOCKER_CLI_IMAGE  where the Docker client and its buildx plugin are copied from
# PACKAGES          more of the system's packages: iptables for an agent with Docker in a container
#
# Where packages come from is nobody's business later, so it is told in secrets, which no layer
# keeps: --secret id=index_url,src=FILE (another package index), --secret id=ca,src=FILE (its
# certificate authorities, PEM).
ARG BASE_IMAGE=python:3.11-slim-bookworm
ARG DOCKER_CLI_IMAGE=docker:27-cli

FROM ${DOCKER_CLI_IMAGE} AS docker-cli

# What every stage stands on: Python, git for repositories, tc for what sessions may send, tini as
# the first process. The agent
# starts a hub, which starts a proxy; when one of those dies, somebody must collect its children.
FROM ${BASE_IMAGE} AS base
USER 0
RUN set -eu; \
    wanted=""; \
    command -v python3 >/dev/null || wanted="$wanted python3"; \
    command -v git >/dev/null || wanted="$wanted git"; \
    command -v tini >/dev/null || wanted="$wanted tini"; \
    command -v tc >/dev/null || wanted="$wanted iproute2"; \
    [ -s /etc/ssl/certs/ca-certificates.crt ] || wanted="$wanted ca-certificates"; \
    if [ -n "$wanted" ]; then \
        command -v apt-get >/dev/null || { echo "The base image lacks$wanted, and apt-get." >&2; exit 1; }; \
        apt-get update -qq; \
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null; \
        rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/*.log \
            /var/log/apt /usr/share/doc/* /usr/share/man/* /usr/share/locale/*; \
    fi; \
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed." >&2; exit 1; }

# A virtual environment with the versions that the project is tested with, without the project:
# its own layer is small, and an upgrade fetches no more than that. `uv` goes, which makes the
# environments of the local stack alone. Modules are compiled, as nobody writes to the image later.
FROM base AS dependencies
RUN python3 -c 'import ensurepip' 2>/dev/null || { \
        apt-get update -qq; \
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null; }
WORKDIR /source
COPY pyproject.toml constraints.txt ./
RUN --mount=type=secret,id=ca --mount=type=secret,id=index_url set -eu; \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca; fi; \
    if [ -s /run/secrets/index_url ]; then \
        PIP_INDEX_URL=$(cat /run/secrets/index_url); UV_DEFAULT_INDEX=$PIP_INDEX_URL; \
        export PIP_INDEX_URL UV_DEFAULT_INDEX; \
    fi; \
    export UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1; \
    python3 -m venv /opt/tools; \
    /opt/tools/bin/pip install -q -c constraints.txt uv hatchling; \
    python3 -m venv --without-pip /opt/venv; \
    /opt/tools/bin/uv pip install -q --python /opt/venv/bin/python -c constraints.txt \
        -r pyproject.toml --extra local --extra docker --extra kubernetes --extra ecr --extra tracing; \
    /opt/tools/bin/uv pip uninstall -q --python /opt/venv/bin/python uv; \
    python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM dependencies AS project
COPY README.md LICENSE ./
COPY binder_federation ./binder_federation
RUN /opt/tools/bin/python -m hatchling build -t wheel -d /wheel

FROM base
# A user of its own, by number: Kubernetes can tell that it is not root. What it writes goes to
# its home folder and to /tmp; everything else may be read-only.
RUN echo 'binder:x:65532:65532:Binder Federation:/var/lib/binder:/usr/sbin/nologin' >>/etc/passwd; \
    echo 'binder:x:65532:' >>/etc/group; \
    install -d -o 65532 -g 65532 -m 700 /var/lib/binder
COPY --from=docker-cli /usr/local/bin/docker /usr/local/bin/
COPY --from=docker-cli /usr/local/libexec/docker/cli-plugins/docker-buildx /usr/local/libexec/docker/cli-plugins/
COPY --from=dependencies /opt/venv /opt/venv
RUN --mount=type=bind,from=project,source=/opt/tools,target=/opt/tools \
    --mount=type=bind,from=project,source=/wheel,target=/wheel \
    UV_NO_CACHE=1 /opt/tools/bin/uv pip install -q --python /opt/venv/bin/python --no-deps --no-index /wheel/*.whl && \
    python3 -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib/python3*/site-packages/binder_federation
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/var/lib/binder \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
ARG PACKAGES=""
RUN if [ -n "$PACKAGES" ]; then \
        apt-get update -qq; \
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $PACKAGES >/dev/null; \
        rm -rf /var/lib/apt/lists/*; \
    fi
ARG VERSION=""
LABEL org.opencontainers.image.title="binder-federation" \
    org.opencontainers.image.description="Cluster agent, builder and federation of Binder Federation" \
    org.opencontainers.image.licenses="BSD-3-Clause" \
    org.opencontainers.image.version="${VERSION}"
USER 65532:65532
WORKDIR /var/lib/binder
STOPSIGNAL SIGTERM
EXPOSE 8585 8000
ENTRYPOINT ["tini", "--"]
CMD ["binderfed-agent", "--help"]
