"""Holds the rows that stand beside the statements to Spark's own, with ANSI off, over the same Parquet.

    PROFILE_EXPORT_DEEP_TESTS=1 ./scripts/test-sql

Statements that Spark refuses, and those whose rows are an error here, are counted and left out: which errors the
platform has is no matter of Spark's. SNAPSHOT, history_meta, double quotes and the like are the platform's alone. Left
out, too, is what a title calls "(not as Spark)": there the platform differs, or DIALECT.md says why we do.
"""

import datetime
import pathlib
import re
import sys

from pyspark.sql import Row, SparkSession

FOLDER = pathlib.Path(__file__).parent / "statements"


def cases():
    for file in sorted(FOLDER.glob("*.sql")):
        for block in file.read_text().split("\n\n"):
            lines = block.splitlines()
            title = " ".join(line[3:] for line in lines if line.startswith("--"))
            rows = [line[2:] for line in lines if line == ">" or line.startswith("> ")]
            columns = [line[2:] for line in lines if line.startswith("# ")]
            refused = [line for line in lines if line.startswith("! ")]
            sql = "\n".join(line for line in lines if not re.match(r"--|[>#!]( |$)", line))
            if sql.strip() and "(not as Spark)" not in title:
                yield f"{file.name}: {title}", sql, rows, columns, bool(refused)


def text(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        fraction = f".{value.microsecond // 1000:03}" if value.microsecond else ""
        return value.strftime("%Y-%m-%d %H:%M:%S") + fraction
    if isinstance(value, Row):
        return "{" + ", ".join(f"{name}: {text(one)}" for name, one in value.asDict().items()) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text(name)}: {text(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join("" if one is None else text(one) for one in value) + "]"
    return str(value)


def main(folder):
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.caseSensitive", "false")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    # Spark reads no file with two columns that differ in case alone.
    for table in [table for table in pathlib.Path(folder).glob("*.parquet") if table.stem != "twice"]:
        spark.read.option("mergeSchema", "false").parquet(str(table)).createOrReplaceTempView(table.stem)
    alike, refused, wrong = 0, [], []
    for title, sql, rows, columns, error in cases():
        if error:
            continue
        try:
            # The platform's double quotes are Spark's backticks.
            frame = spark.sql(re.sub(r'"([^"]*)"', r"`\1`", sql))
            found = [" | ".join(text(value) for value in row) for row in frame.collect()]
        except Exception as error:  # Spark's own, of many kinds
            refused.append(f"{title}\n    {str(error).splitlines()[0][:200]}")
            continue
        names = " | ".join(frame.columns)
        if "order by" not in sql.lower():
            rows, found = sorted(rows), sorted(found)
        if rows != found:
            wrong.append(f"{title}\n{sql}\n  Spark: {found[:8]}\n  ours:  {rows[:8]}")
        elif columns and columns[0] != names:
            wrong.append(f"{title}\n{sql}\n  Spark's columns: {names}\n  ours:            {columns[0]}")
        else:
            alike += 1
    print(f"{alike} alike, {len(refused)} that Spark refuses, {len(wrong)} others")
    print("\n".join(refused))
    print("\n\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
