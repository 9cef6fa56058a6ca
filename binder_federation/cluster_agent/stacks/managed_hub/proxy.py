"""The hub's proxy: traefik, told its routes in a file, ended with the hub."""

import os
from functools import partial
from pathlib import Path
from subprocess import Popen

from jupyterhub_traefik_proxy.fileprovider import TraefikFileProviderProxy
from traitlets import Unicode

from binder_federation.runtime.processes import die_with_parent


class SessionProxy(TraefikFileProviderProxy):  # type: ignore[misc] # the library has no types
    """Traefik from our own environment, which does not outlive a hub that was killed."""

    traefik_binary = Unicode("traefik", config=True, help="The program to run.")

    def _start_traefik(self) -> None:
        self.traefik_process = Popen(
            [self.traefik_binary, "--configfile", str(Path(self.static_config_file).absolute())],
            env={**os.environ, **self.traefik_env},
            start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
