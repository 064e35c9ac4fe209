"""Spark reads the folder of an export as it is, in both profiles of Parquet."""

import pytest
from test_spark import rows_in


@pytest.mark.parametrize("compatible", [False, True], ids=["modern", "compatible"])
def test_spark_reads_the_folder_of_an_export(spark, retailer, tmp_path, compatible):
    out = tmp_path / "out"
    segments = ["holiday-shoppers", "85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21"]
    audience = {"segments": segments, "segment_per_batch": True, "merge_policy": "timestampOrdered-none-mp"}
    retailer.run(out=out, compatible=compatible, events=True, **audience)
    frame = spark.read.parquet(str(out))
    # Batches and segments are columns of it.
    assert sorted(row.segmentId for row in frame.select("segmentId").distinct().collect()) == sorted(segments)
    expected = rows_in(out).to_pylist()
    found = frame.drop("batchId", "segmentId").toArrow().to_pylist()
    assert len(expected) > 0
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
