"""The server as a process: what it survives, and what it says when it cannot start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import psutil
import pytest
from clickhouse_connect.driver.client import Client

from stir_assets_tests.fixtures.stack import clean_environment, unused_ports

PASSWORD = "only for this test"


class Server:
    """One server process on a data directory of the test."""

    def __init__(self, data: Path, port: int) -> None:
        self.data, self.port = data, port

    def start(self) -> subprocess.Popen[bytes]:
        command = [
            *(sys.executable, "-m", "stir_assets.local.clickhouse", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--data-dir", str(self.data), "--user", "default"),
        ]
        environment = clean_environment() | {"STIR_CLICKHOUSE_PASSWORD": PASSWORD}
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return self.process

    def ready(self) -> Client:
        deadline = time.monotonic() + 60
        while True:
            try:
                return clickhouse_connect.get_client(
                    host="127.0.0.1", port=self.port, username="default", password=PASSWORD
                )
            except Exception:
                assert self.process.poll() is None, self.process.stdout.read().decode()  # pyright: ignore
                assert time.monotonic() < deadline, "the server did not answer"
                time.sleep(0.2)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data", unused_ports("clickhouse")["clickhouse"])
    server.start()
    yield server
    if server.process.poll() is None:
        server.kill()


def test_data_survives_kill_dash_nine(server: Server) -> None:
    client = server.ready()
    client.command("create table stir.t (a UInt64) engine = MergeTree order by a")
    client.insert("stir.t", [[number] for number in range(100_000)], column_names=["a"])
    server.kill()
    server.start()
    assert server.ready().query("select count(), sum(a) from stir.t").result_rows == [
        (100_000, sum(range(100_000)))
    ]


def test_an_engine_killed_while_a_query_runs_gives_the_client_an_error_and_no_hang(server: Server) -> None:
    client = server.ready()
    outcome: list[Exception] = []

    def ask() -> None:
        try:
            client.query("select count() from numbers(100000000000) where sipHash64(number) = 1")
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(1)
    server.kill()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert outcome


def test_sigterm_ends_it_cleanly(server: Server) -> None:
    server.ready()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=20) == 0


def refusal(server: Server) -> str:
    process = server.start()
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert PASSWORD not in output.decode()
    return output.decode()


def test_a_port_in_use_is_named(server: Server, tmp_path: Path) -> None:
    server.ready()
    assert str(server.port) in refusal(Server(tmp_path / "other", server.port))


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    assert str(tmp_path / "data") in refusal(Server(tmp_path / "data", unused_ports("x")["x"]))


def test_a_data_directory_in_use_is_refused(server: Server) -> None:
    server.ready()
    message = refusal(Server(server.data, unused_ports("x")["x"]))
    assert str(server.data) in message


def test_the_password_stands_in_no_command_line(server: Server) -> None:
    server.ready()
    assert PASSWORD not in Path(f"/proc/{server.process.pid}/cmdline").read_text()
    assert os.path.exists(f"/proc/{server.process.pid}")  # noqa: PTH110


def peak_memory(pid: int) -> int:
    """Bytes of resident memory at the most since `/proc/PID/clear_refs` was written."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory's peak is asked of Linux")
def test_results_and_bodies_of_any_size_take_little_memory(server: Server) -> None:
    client = server.ready()
    rows, pid = 3_000_000, server.process.pid
    client.command("create table stir.t (a UInt64, s String) engine = Null")
    result = f"select number, repeat('x', 90) from numbers({rows})"
    settings = {
        **{"input_format_parallel_parsing": 0, "output_format_parallel_formatting": 0, "max_threads": 1},
        # By default the engine gathers a million rows before it writes a part.
        **{
            "max_insert_block_size": 65_536,
            "min_insert_block_size_rows": 65_536,
            "min_insert_block_size_bytes": 0,
        },
    }

    def stream(rows: int) -> tuple[int, int]:
        """Send a result of so many rows back as a body; bytes and rows of it."""
        size = 0

        def passed() -> Iterator[bytes]:
            nonlocal size
            source = client.raw_stream(result + f" limit {rows}", fmt="TSV", settings=settings)
            while data := source.read(1 << 20):
                size += len(data)
                yield data

        other = server.ready()
        summary = other.raw_insert("stir.t", ["a", "s"], passed(), fmt="TSV", settings=settings)
        return size, summary.written_rows

    stream(100_000)
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = peak_memory(pid)
    size, written = stream(rows)
    assert written == rows
    assert peak_memory(pid) - before < size / 2


def test_only_this_machine_reaches_it_unless_told_otherwise(tmp_path: Path) -> None:
    port = unused_ports("x")["x"]
    command = [sys.executable, "-m", "stir_assets.local.clickhouse", "--port", str(port)]
    process = subprocess.Popen([*command, "--data-dir", str(tmp_path / "data")], env=clean_environment())
    try:
        listening: set[str] = set()
        while not listening and process.poll() is None:
            time.sleep(0.1)
            inet = psutil.Process(process.pid).net_connections("inet")
            listening = {one.laddr.ip for one in inet if one.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
    finally:
        process.kill()
        process.wait()
