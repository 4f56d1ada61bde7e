"""Prints the peers' versions as JSON; importing them also compiles their Python before anything is measured."""
import json
import platform

import duckdb
import polars
import pyarrow.csv
import pyarrow.parquet
import splink

print(
    json.dumps(
        {
            "duckdb": duckdb.__version__,
            "polars": polars.__version__,
            "splink": splink.__version__,
            "python": platform.python_version(),
        }
    )
)
