"""Airflow's own components, started one by one on loopback and stopped by their process ids.

Not ``airflow standalone``: it leaves most of its children behind when it is told to stop.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx

from connectors.errors import Unavailable
from gateway.demo.broker import free_port
from gateway.server.process import environment
from gateway.settings import Settings

_COMPONENTS = {
    # The log servers listen on every address and cannot be told otherwise; here nobody needs them.
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "api-server": ["api-server"],
}
_USER = "demo"
_STOP_SECONDS = 15
_TRIES = 5
_EXISTS = 409


@dataclass
class Airflow:
    """A running Airflow with the exchange DAGs.

    Attributes:
        url: of the API server and its web interface.
        password: of the user ``demo``.
        home: metadata database, logs and what the components print.
    """

    settings: Settings
    parallelism: int = 4
    url: str = ""
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _logs: list[IO[bytes]] = field(default_factory=list)
    _client: httpx.Client | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _is_stopped: bool = False

    @property
    def home(self) -> Path:
        """Where Airflow keeps its own things."""
        return self.settings.home / "airflow"

    def start(self, schedules: bool = False) -> None:
        """Make the metadata database and start the components; does not wait for them.

        Args:
            schedules: also run DAGs by their schedule, not only when asked.

        Raises:
            Unavailable: the metadata database cannot be made.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environ = self._environment(port, schedules)
        self._run_once("db-migrate", ["db", "migrate"], environ)
        for name, arguments in _COMPONENTS.items():
            self._spawn(name, arguments, environ)
        self._start_workers(environ)

    def _start_workers(self, environ: dict[str, str]) -> None:
        """Nothing to do on one machine: the scheduler runs the tasks itself."""

    def wait_until_ready(self, dag_ids: Iterable[str], timeout_s: float = 120) -> None:
        """Wait until the scheduler beats, we are logged in and every DAG named is known.

        Raises:
            Unavailable: not within the time, or a component ended.
        """
        deadline = time.monotonic() + timeout_s
        self._client = httpx.Client(base_url=self.url, trust_env=False, timeout=30)
        self._until(deadline, "api-server", self._is_healthy)
        token = self._call("POST", "/auth/token", json={"username": _USER, "password": self.password})["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"
        wanted = set(dag_ids)
        self._until(deadline, "dag-processor", lambda: wanted <= self._known_dags())

    def unpause(self, tag: str) -> None:
        """Let the DAGs with a tag run: a new DAG is paused until then, but takes orders already."""
        self._call("PATCH", "/api/v2/dags", params={"tags": tag, "dag_id_pattern": "~"}, json={"is_paused": False})

    def make_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool: without it, tasks that name it never run."""
        self._call("POST", "/api/v2/pools", json={"name": name, "slots": slots, "description": description})

    def trigger(self, dag_id: str) -> str:
        """Start a run; returns its id. Asked for again under the same id where SQLite was busy."""
        run_id = f"demo__{secrets.token_hex(6)}"
        for left in reversed(range(_TRIES)):
            try:
                order = {"dag_run_id": run_id, "logical_date": None}
                self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=order)
                break
            except Unavailable as error:
                if error.details["status"] == _EXISTS:
                    break
                if not left:
                    raise
                time.sleep(1)
        return run_id

    def run_states(self, dag_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The newest run of each DAG: at least ``state``, ``dag_run_id``, ``start_date``, ``end_date``."""
        body = {"dag_ids": list(dag_ids), "page_limit": 1000, "order_by": "-id"}
        runs = self._call("POST", "/api/v2/dags/~/dagRuns/list", json=body)["dag_runs"]
        newest: dict[str, dict[str, Any]] = {}
        for run in runs:
            newest.setdefault(run["dag_id"], run)
        return newest

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """The tasks of a run by name: at least ``id``, ``state``, ``try_number``."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return {task["task_id"]: task for task in self._call("GET", path)["task_instances"]}

    def result(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a task returned."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        value = self._call("GET", path, params={"deserialize": "true"})["value"]
        return json.loads(value) if isinstance(value, str) else value

    def stop(self) -> None:
        """Stop every component, also while another thread is starting them; ends hard what does not end in time."""
        with self._lock:
            self._is_stopped = True
            processes = list(self._processes.values())
        if self._client is not None:
            self._client.close()
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._processes.clear()
        for log in self._logs:
            log.close()
        self._logs.clear()

    def processes(self) -> dict[str, int]:
        """Component -> process id."""
        return {name: process.pid for name, process in self._processes.items()}

    def _environment(self, port: int, schedules: bool) -> dict[str, str]:
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({_USER: self.password}), "utf-8")
        return environment(self.settings) | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(_dags_folder()),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # Three components write into one SQLite file: they wait for each other instead of giving up after 5 s.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}?timeout=60",
            # The files do not change while the demo runs; reading them again costs a second each time.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
            "AIRFLOW__CORE__PARALLELISM": str(self.parallelism),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{_USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(schedules),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "PYTHONWARNINGS": "ignore",
        }

    def _run_once(self, name: str, arguments: list[str], environ: dict[str, str]) -> None:
        code = self._spawn(name, arguments, environ).wait()
        self._processes.pop(name, None)
        if code:
            raise self._ended(name, code)

    def _spawn(self, name: str, arguments: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_stopped:
                raise Unavailable("Airflow 已被要求停止", "Airflow has been told to stop", component=name)
            self._processes[name] = process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-m", "airflow", *arguments],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=self._log(name),
                stderr=subprocess.STDOUT,
                # A group of its own, so that its children end with it.
                start_new_session=True,
            )
            return process

    def _log(self, name: str) -> IO[bytes]:
        log = (self.home / f"{name}.log").open("ab")
        self._logs.append(log)
        return log

    def _ended(self, name: str, code: int | None) -> Unavailable:
        said = (self.home / f"{name}.log").read_text("utf-8", "replace")[-2000:]
        return Unavailable(
            f"Airflow 组件 {name} 未就绪（退出码 {code}）；日志 {self.home / name}.log 末尾：{said}",
            f"the Airflow component {name} is not ready (exit code {code}); its log ends: {said}",
            component=name,
        )

    def _until(self, deadline: float, component: str, is_done: Any) -> None:
        while not is_done():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise self._ended(name, process.returncode)
            if time.monotonic() > deadline:
                raise self._ended(component, None)
            time.sleep(0.3)

    def _is_healthy(self) -> bool:
        try:
            health = self._call("GET", "/api/v2/monitor/health")
        except (httpx.TransportError, Unavailable):
            return False
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler"))

    def _known_dags(self) -> set[str]:
        return {dag["dag_id"] for dag in self._call("GET", "/api/v2/dags", params={"limit": 500})["dags"]}

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        if self._client is None:
            raise RuntimeError("Airflow has not been started: call start and wait_until_ready first")
        answer = self._client.request(method, path, **arguments)
        if answer.is_error:
            raise Unavailable(
                f"Airflow {method} {path} 返回 {answer.status_code}：{answer.text[:500]}",
                f"Airflow answered {method} {path} with {answer.status_code}: {answer.text[:500]}",
                status=answer.status_code,
            )
        return answer.json()


def _dags_folder() -> Path:
    """Where the DAG files are installed. Looked up, not imported: ``dags`` imports us."""
    found = importlib.util.find_spec("dags")
    if found is None or found.origin is None:
        raise Unavailable("没有安装 dags 包", "the package `dags` is not installed")
    return Path(found.origin).parent
