"""W1 to W3 with nothing of what they read in the page cache, as on the first look at a store that lies on a disk."""
import ctypes
import mmap
import os
import statistics

import peer_duckdb
from program import bytes_in, fresh

WORKS = ("W1", "W2", "W3")


def evict(place):
    """Takes a file or a folder's files out of the page cache; returns the share that stays."""
    files = [place] if place.is_file() else [f for f in place.rglob("*") if f.is_file()]
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        # Only clean pages go.
        os.fdatasync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    return sum(map(cached, files)) / sum(f.stat().st_size for f in files)


def cached(path):
    """How many bytes of a file are in the page cache."""
    size = path.stat().st_size
    if not size:
        return 0
    pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        first = ctypes.c_char.from_buffer(mapped)
        at = ctypes.c_void_p(ctypes.addressof(first))
        failed = ctypes.CDLL(None, use_errno=True).mincore(at, ctypes.c_size_t(size), pages)
        del first
    if failed:
        raise OSError(ctypes.get_errno(), f"mincore: {path}")
    return sum(page & 1 for page in pages.raw) * mmap.PAGESIZE


def measure(place):
    """For each work what each took, and the greatest share of anything that stayed in the cache."""
    took, stayed = {}, 0

    def add(work, who, read, run):
        nonlocal stayed
        os.sync()
        stayed = max(stayed, evict(read))
        took.setdefault(work, {}).setdefault(who, []).append(run())

    parquet, database = (peer_duckdb.from_parquet(place.parquet), peer_duckdb.from_database(place.database))
    for work in WORKS:
        for _ in range(place.rounds):
            out = fresh(place.folder / "out")
            add(work, "ours", place.store, lambda: place.exported(work, out / "ours"))
            add(work, "duckdb", place.parquet,
                lambda: peer_duckdb.timed(work, parquet, fresh(out / "duckdb"), place.threads))
            add(work, "database", place.database,
                lambda: peer_duckdb.timed(work, database, fresh(out / "database"), place.threads))
    sizes = {"ours": bytes_in(place.store), "duckdb": bytes_in(place.parquet), "database": place.database.stat().st_size}
    return took, stayed, sizes


def table(measured, titles):
    took, stayed, sizes = measured
    print("\nCold: before each run all files that it reads are taken out of the page cache; the programs themselves stay. "
          "*read* is what came from the disk, and its share of all that lies there.")
    if stayed > 0.01:
        print(f"\nThat did not work on this file system: up to {stayed:.0%} stayed in the cache. The times are not cold.")
    heads = ["", *(cell for who in sizes for cell in (titles[who], "read"))]
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for work, by in took.items():
        cells = [f"{work} cold"]
        mine = statistics.median(t.seconds for t in by["ours"])
        for who, size in sizes.items():
            seconds, read = statistics.median(t.seconds for t in by[who]), statistics.median(t.read for t in by[who])
            cells.append(f"{seconds:.3f} s" + (f" ({seconds / mine:.1f})" if who != "ours" else ""))
            cells.append(f"{read / 1e6:.1f} MB ({read / size:.0%})")
        print(f"| {' | '.join(cells)} |")
