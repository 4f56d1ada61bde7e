"""Names, types and the number of rows of each file of csv/truth.json, by the library's own lights."""
import json
import pathlib

from peer import arguments, duck, measured

args = arguments("truth", "files")
paths = [entry["path"] for entry in json.loads(pathlib.Path(args.truth).read_text(encoding="utf-8"))]

if args.who == "duckdb":
    import duckdb  # noqa: F401

    def look(path):
        con = duck(args)
        # Read once as a whole: what was sniffed must also hold.
        con.execute("create table t as select * from read_csv(?)", [path])
        columns = con.execute("describe t").fetchall()
        return [row[0] for row in columns], [row[1] for row in columns], con.execute("select count(*) from t").fetchone()[0]
else:
    import polars as pl

    def look(path):
        frame = pl.read_csv(path, try_parse_dates=True)
        return frame.columns, [str(kind) for kind in frame.dtypes], frame.height


def work():
    answer = {}
    for path in paths:
        try:
            names, types, rows = look(str(pathlib.Path(args.files) / path))
            answer[path] = {"names": names, "types": types, "rows": rows}
        except Exception as e:  # a file that cannot be read is an answer, too
            answer[path] = {"error": f"{type(e).__name__}: {(str(e).strip() or ' ').splitlines()[0]}"}
    return answer


measured(args, work)
