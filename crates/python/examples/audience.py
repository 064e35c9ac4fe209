# %% [markdown]
# # An audience as a pandas frame
#
# NDJSON in, an audience out, and a plot of its members over time. Cells begin with `# %%`: Jupyter (by jupytext), VS Code
# and Spyder open this as a notebook; `python audience.py` runs it from top to bottom, in a folder with `fixtures/`.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import profile_export as pe

SEGMENT = "4edc8ad7-1e2d-4d6a-9c3b-0d1c7d6f2a10"

# %% [markdown]
# A store keeps what is loaded: the customers of a made-up retailer, a record a line, with the segments that each is in.
# `on_bad_record="skip"` would go on behind a bad line, and report it.

# %%
store = pe.Store("store", create=True)
files = sorted(Path("fixtures/retailer/crm").glob("*.ndjson"))
report = store.ingest(files, dataset="crm", ingested_at_field="ingestedAt")
print(report)

# %% [markdown]
# What would an export have? Nothing is written, and every mistake in the request is found here.

# %%
audience = {"segments": SEGMENT, "fields": ["personalEmail.address", "person.name", "segmentMembership"]}
print(store.plan(**audience)["batches"])
print(store.preview(**audience, limit=2))

# %% [markdown]
# The rows go to pandas by Arrow, without a file between. Structs are dicts there, and maps are lists of pairs.

# %%
frame = store.export(**audience).to_pandas(maps_as_pydicts="strict")
frame["address"] = frame["personalEmail"].str["address"]
frame["qualified"] = [
    memberships[SEGMENT]["lastQualificationTime"]
    for row in frame["segmentMembership"]
    for memberships in row.values()
    if SEGMENT in memberships
]
frame["qualified"] = pd.to_datetime(frame["qualified"], utc=True)
print(len(frame), "members")
print(frame[["address", "qualified"]].sort_values("qualified").head())

# %% [markdown]
# How the audience grew: members by the day on which they qualified, added up.

# %%
by_day = frame.groupby(frame["qualified"].dt.floor("D")).size().cumsum()
figure, axes = plt.subplots(figsize=(8, 4))
axes.step(by_day.index, by_day.to_numpy(), where="post")
axes.set(title="Members of the segment", xlabel="qualified", ylabel="members", ylim=(0, None))
figure.autofmt_xdate()
figure.savefig("members.png", dpi=120)
