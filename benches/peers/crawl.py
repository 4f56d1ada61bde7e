"""The schema of all files of a folder: csv under bare yyyy/mm/dd, json lines under year=/month=/day=."""
import pathlib

from peer import arguments, duck, measured

args = arguments("format", "dir")

if args.who == "duckdb":
    import duckdb  # noqa: F401

    def work():
        # DuckDB books a buffer of 32 MiB for each JSON file and books it out at the end only: by its own count 5,000 files
        # take 156 GiB, and it stops at the default limit (80% of memory). It touches little of that: the process stays
        # small, and does the task when the count is not held against it. What the process really takes is limited all the
        # same, from outside.
        con = duck(args, unlimited=True)
        # union_by_name makes it look at every file. Without it, the schema is that of the first.
        if args.format == "csv":
            source = f"read_csv('{args.dir}/**/*.csv', union_by_name = true)"
        else:
            source = f"read_json('{args.dir}/**/*.json', format = 'newline_delimited', union_by_name = true, hive_partitioning = true)"
        rows = con.execute(f"describe select * from {source}").fetchall()
        return {row[0]: row[1] for row in rows}
else:
    import polars as pl

    def work():
        if args.format == "csv":
            # By default it looks at ten files.
            frame = pl.scan_csv(f"{args.dir}/**/*.csv", infer_schema_length=None, infer_schema_files=1_000_000)
        else:
            # A scan of many files has the schema of the first, and no option for more. A union of one scan a file has all.
            files = sorted(pathlib.Path(args.dir).glob("**/*.json"))
            frame = pl.concat([pl.scan_ndjson(f, infer_schema_length=None) for f in files], how="diagonal_relaxed")
        return {name: str(kind) for name, kind in frame.collect_schema().items()}


measured(args, work)
