"""A JupyterLab for the tests that need one."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from lab import Lab

NO_NEWS = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}


@pytest.fixture(scope="session")
def lab(chromium_program, tmp_path_factory):
    """A JupyterLab on a free port, with an empty folder, nobody's settings, and an end."""
    home = tmp_path_factory.mktemp("jupyter")
    folders = [f"JUPYTER_{name}_DIR" for name in ("CONFIG", "DATA", "RUNTIME")]
    folders += ["JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR", "notebooks"]
    for name in folders:
        (home / name).mkdir()
    settings = home / "JUPYTERLAB_SETTINGS_DIR/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(NO_NEWS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(), home / "notebooks")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += [
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={lab.folder}",
    ]
    command += ["--LabApp.news_url=None", "--LabApp.extension_manager=readonly", "--expose-app-in-browser"]
    own = {name: str(home / name) for name in folders[:-1]} | {"JUPYTER_TOKEN": lab.token}
    uncapped = {name: value for name, value in os.environ.items() if name != "FLOWLIB_LIVE_SECONDS"}
    log = home / "server.log"
    with log.open("wb") as file:
        server = subprocess.Popen(command, env=uncapped | own, stdout=file, stderr=subprocess.STDOUT)
    try:
        for _ in range(6000):
            assert server.poll() is None, log.read_text("utf-8")
            try:
                urllib.request.urlopen(f"{lab.url}/api/status?token={lab.token}", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail(f"JupyterLab did not start within ten minutes: {log.read_text('utf-8')}")
        yield lab
    finally:
        server.terminate()
        try:
            server.wait(20)  # it ends its kernels first
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
