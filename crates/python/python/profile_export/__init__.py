"""Export customer audiences from local profile data.

What Adobe Experience Platform's export jobs do in its cloud, on this machine: profile fragments are merged by a merge
policy, those that a segment, a qualification time and an ingest time select are kept, and rows come with the fields and
events that are asked for.

A `Store` keeps what is loaded, sorted and indexed. `Store.export` prepares an `Export`, whose rows go into files, or as
Arrow record batches to whoever takes them: ``pyarrow.table(export)``, ``polars.DataFrame(export)``, DuckDB by its name,
``export.to_pandas()``. `export_batches` does the same for Arrow data that never sees a store.

Units: timestamps are UTC in microseconds (``timestamp[us, UTC]``), dates are days since 1970 (``date32``); sizes are bytes.
Shapes: a row is a profile; ``timeSeriesEvents`` is a list of structs, an item an event; ``identityMap`` and
``segmentMembership`` are maps.

Long work is done without Python's lock, on threads of its own. Ctrl-C stops it, and it leaves nothing half done behind:
a load is in the store, or it is not, and a file is there whole, or not at all. All exceptions are
`ProfileExportError`; each has a ``code``.

A store is used in the process that opened it, and not in those that are forked from it.

Examples
--------
>>> import profile_export as pe
>>> store = pe.Store("store", create=True)
>>> store.ingest("fixtures/retailer")
LoadReport(read=1363, loaded=1350, dropped=13, bad=0, merged=0, not_merged=None)
>>> audience = store.export(segments="holiday-shoppers", fields="personalEmail.address,person.name")
>>> audience.to_pandas().shape
(18, 2)
"""

from ._batches import Records, export_batches
from ._errors import (
    BadInput,
    BadRequest,
    Cancelled,
    Conflict,
    Damaged,
    JobFailed,
    NotFound,
    ProfileExportError,
    Rejected,
    StorageError,
)
from ._export import Export, ExportBatch, Written
from ._load import LoadReport
from ._profile_export import RecordBatch, Schema
from ._progress import Progress
from ._shards import ShardPlan
from ._store import Store
from ._unknown import UnknownSegmentWarning
from ._upkeep import Verified, verify_manifest

__all__ = [
    "BadInput",
    "BadRequest",
    "Cancelled",
    "Conflict",
    "Damaged",
    "Export",
    "ExportBatch",
    "JobFailed",
    "LoadReport",
    "NotFound",
    "ProfileExportError",
    "Progress",
    "RecordBatch",
    "Records",
    "Rejected",
    "Schema",
    "ShardPlan",
    "StorageError",
    "Store",
    "UnknownSegmentWarning",
    "Verified",
    "Written",
    "export_batches",
    "verify_manifest",
]
