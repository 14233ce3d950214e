"""`python -m stir_assets.local.clickhouse`: run the ClickHouse server of the local stack."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from stir_assets.errors import ConfigError

PASSWORD_VARIABLE = "STIR_CLICKHOUSE_PASSWORD"  # noqa: S105 - a variable's name


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m stir_assets.local.clickhouse",
        description="A ClickHouse server for one machine: the HTTP interface around the embedded engine. "
        f"The password is read from the environment variable {PASSWORD_VARIABLE}.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, default=8123, help="0 chooses a free port")
    parser.add_argument(
        "--data-dir", type=Path, required=True, help="where the data lives; created if missing"
    )
    parser.add_argument("--user", default="default")
    parser.add_argument("--max-concurrent-queries", type=int, default=64, help="further ones wait")
    parser.add_argument(
        "--memory-mb", type=int, default=0, help="memory of the engine (default: half of the machine's)"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the server until SIGTERM or SIGINT; 2 if it cannot start."""
    args = _arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # The engine takes the process's time zone for its own; a server of ours is in UTC everywhere.
    os.environ["TZ"] = "UTC"
    from stir_assets.local.clickhouse.config import ServerOptions
    from stir_assets.local.clickhouse.server import Server

    options = ServerOptions(
        data_dir=args.data_dir.expanduser().absolute(),
        host=args.host,
        port=args.port,
        user=args.user,
        password=os.environ.pop(PASSWORD_VARIABLE, ""),
        max_concurrent_queries=args.max_concurrent_queries,
        memory_bytes=args.memory_mb << 20,
    )
    try:
        server = Server(options)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    logging.info("ClickHouse %s ready on http://%s:%d", server.engine.version, options.host, server.port)
    server.serve_forever()
    logging.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
