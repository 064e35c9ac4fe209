"""A store that is loaded into night after night: what a load costs, what exports cost after it, and a compaction."""
import shutil
import statistics
from typing import NamedTuple

import answers
from program import fresh, ours, workload

WORKS = ("W1", "W2", "W3")


class Nights(NamedTuple):
    """Loads into the store and, of the same records, into an empty one; the bytes of the latter's runs; how many
    runs there are in the end; seconds of exports by work and store; and the compaction."""
    loads: list
    alone: list
    own_bytes: int
    runs: int
    exports: dict
    compaction: object
    compacted_runs: int


def measure(place, people, nights):
    """Each night brings other records of another hundredth of the people. The store that all else is measured with
    stays as it is: the nights go to a copy, and the compaction to a copy of that."""
    store, delivery, empty = (place.folder / name for name in ("nightly", "delivery", "empty"))
    if nights:
        shutil.copytree(place.store, store)
        stores = {"fresh": place.store, "nights": store}
    else:
        store = place.store
        stores = {"fresh": store}
    loads, alone, own_bytes = [], [], 0
    share = max(people // 100, 1)
    for night in range(nights):
        first = night * share % people
        workload(fresh(delivery), f"{first}..{min(first + share, people)}", night + 1)
        shutil.rmtree(empty, ignore_errors=True)
        loads.append(place.loaded(store, delivery))
        alone.append(place.loaded(empty, delivery))
        own_bytes += stats(empty)["bytes"]
    compacted = place.folder / "compacted"
    shutil.copytree(store, compacted)
    compaction = ours("store", "compact", "--store", compacted, "--threads", place.threads, watched=True)
    stores["compacted"] = compacted
    exports = {}
    for work in WORKS:
        for _ in range(place.rounds):
            out = fresh(place.folder / "out")
            told = {}
            for name, folder in stores.items():
                took = place.exported(work, out / name, store=folder)
                exports.setdefault(work, {}).setdefault(name, []).append(took.seconds)
                told[name] = answers.ours(work, took.body, out / name)
        answers.agree(f"{work} after a compaction", *list(told.values())[-2:])
    measured = Nights(loads, alone, own_bytes, stats(store)["runs"], exports, compaction, stats(compacted)["runs"])
    for folder in (*stores.values(), delivery, empty):
        if folder != place.store:
            shutil.rmtree(folder, ignore_errors=True)
    return measured


def stats(store):
    return ours("store", "stats", "--store", store).body


def table(measured):
    if measured.loads:
        loads_table(measured)
    nightly = ["after the nights"] if measured.loads else []
    heads = ["", "fresh store", *nightly, "after a compaction"]
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for work, by in measured.exports.items():
        fresh_store, *others = (statistics.median(seconds) for seconds in by.values())
        cells = [work, f"{fresh_store:.3f} s", *(f"{t:.3f} s ({t / fresh_store:.2f})" for t in others)]
        print(f"| {' | '.join(cells)} |")
    took = measured.compaction
    print(f"\n| | seconds | peak memory | runs before | runs after |\n|---|---|---|---|---|\n"
          f"| store compact | {took.seconds:.3f} s | {took.peak:.0f} MB | {measured.runs} | {measured.compacted_runs} |")


def loads_table(measured):
    loads, alone = measured.loads, measured.alone
    middle = lambda some: statistics.median(t.seconds for t in some)
    some = min(5, len(loads))
    print(f"\n{len(loads)} nights, each with other records of another hundredth of the people, loaded into a copy of the "
          f"store; medians of {some}\n")
    print(f"| load of a night | first {some} | last {some} | the last {some} into an empty store |\n|---|---|---|---|")
    print(f"| | {middle(loads[:some]):.3f} s | {middle(loads[-some:]):.3f} s | {middle(alone[-some:]):.3f} s |")
    written, apart = (sum(t.written for t in some) / measured.own_bytes for some in (loads, alone))
    print(f"\nAfterwards the store has {measured.runs} runs. All nights wrote {written:.1f} times the bytes of their own "
          f"runs; into empty stores, {apart:.1f} times.")
