"""What the peers' scripts have in common: their arguments, their clock and their report.

A script is called `SCRIPT.py WHO --report FILE --memory BYTES --temp DIR ARGUMENT…`. It imports its library first, then
calls `measured`, so that the seconds it reports are those of the work alone.
"""
import argparse
import json
import sys
import time


def arguments(*names):
    parser = argparse.ArgumentParser()
    parser.add_argument("who", choices=["duckdb", "polars", "splink"])
    parser.add_argument("--report", required=True)
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--temp", required=True)
    for name in names:
        parser.add_argument(name)
    return parser.parse_args()


def duck(args, unlimited=False):
    """A DuckDB in memory that keeps to the limit, and spills to the folder given."""
    import duckdb

    # The limit is on what DuckDB's buffer manager counts; the process takes somewhat more.
    limit = "100TB" if unlimited else f"{int(args.memory * 0.8)}B"
    return duckdb.connect(config={"memory_limit": limit, "temp_directory": args.temp})


def measured(args, work):
    start = time.perf_counter()
    try:
        answer, error = work(), None
    except Exception as e:  # a failure is a result, not a crash
        answer, error = None, f"{type(e).__name__}: {str(e).strip().splitlines()[0] if str(e).strip() else ''}"
    seconds = time.perf_counter() - start
    with open(args.report, "w") as f:
        json.dump({"seconds": seconds, "answer": answer, "error": error}, f)
    sys.exit(1 if error else 0)
