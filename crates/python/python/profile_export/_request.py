"""Arguments that say who is exported, and what of them, as a request of the platform's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Union

from ._errors import BadRequest

#: A moment: an RFC 3339 text with an offset, a datetime with a time zone, or a date (as text or as date), which stands for
#: its first moment in UTC where something begins, and for its last where something ends.
Moment = Union[str, date, datetime, None]
Texts = Union[str, Iterable[str], None]

PROFILE = "_xdm.context.profile"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def refused(path: str, problem: str) -> BadRequest:
    """The exception of an argument that can't be."""
    error = BadRequest(f"bad request: {path}: {problem}", "PE-0001")
    error.path = path
    return error


def start(path: str, moment: Moment) -> str | None:
    """The moment where something begins."""
    return _text_of(path, moment, "T00:00:00Z")


def end(path: str, moment: Moment) -> str | None:
    """The moment where something ends."""
    return _text_of(path, moment, "T23:59:59.999999Z")


def _text_of(path: str, moment: Moment, of_date: str) -> str | None:
    if moment is None:
        return None
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise refused(path, f"found {moment!r}, which has no time zone; give it one, such as tzinfo=timezone.utc")
        return moment.isoformat()
    if isinstance(moment, date):
        return f"{moment.isoformat()}{of_date}"
    if isinstance(moment, str):
        return f"{moment}{of_date}" if _DATE.fullmatch(moment) else moment
    raise refused(path, f"found {moment!r}; allowed: a text, a date, a datetime with a time zone")


def texts(path: str, value: Texts, *, may_be_empty: bool = False) -> list[str] | None:
    """A list of texts, of which one may stand alone."""
    if value is None:
        return None
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable):
        raise refused(path, f"found {value!r}; allowed: a text, or a list of texts")
    found = list(value)
    if not found and not may_be_empty:
        raise refused(path, "found an empty list, which could mean all or none; leave it out for all")
    wrong = next((one for one in found if not isinstance(one, str)), None)
    if wrong is not None:
        raise refused(path, f"found {wrong!r} in a list; allowed: texts")
    return found


def paths(path: str, value: Texts) -> str | None:
    """Field paths as a request has them: separated by commas."""
    found = texts(path, value)
    return None if found is None else ",".join(found)


def audience(
    *,
    segments: str | Mapping[str, Any] | Iterable[str | Mapping[str, Any]] | None = None,
    segment_ns: str | None = None,
    statuses: Texts = None,
    qualified_since: Moment = None,
    qualified_until: Moment = None,
    ingested_since: Moment = None,
    empty_profiles: bool | None = None,
    fields: Texts = None,
    require: Texts = None,
    dedupe: Texts = None,
    row_per_identity: str | None = None,
    events: bool | Texts = None,
    events_since: Moment = None,
    events_until: Moment = None,
    merge_policy: str | None = None,
    segment_per_batch: bool | None = None,
    evaluate: bool = False,
) -> dict[str, Any]:
    """The request that arguments mean."""
    window = _given(
        startTime=start("qualified_since", qualified_since), endTime=end("qualified_until", qualified_until)
    )
    filters = _given(
        segments=_segments(segments, segment_ns, texts("statuses", statuses)),
        segmentQualificationTime=window or None,
        fromIngestTimestamp=start("ingested_since", ingested_since),
        emptyProfiles=empty_profiles,
    )
    of_events = _given(
        fromIngestTimestamp=start("events_since", events_since), toIngestTimestamp=end("events_until", events_until)
    )
    event_list = None
    if events is not None and events is not False:
        event_list = _given(
            fields=None if events is True else paths("events", events), filter=of_events or None
        )
    elif of_events:
        raise refused("events_since", "it chooses among events, and none are asked for; events=True takes all their fields")
    return _given(
        schema={"name": PROFILE},
        fields=paths("fields", fields),
        mandatoryFields=texts("require", require, may_be_empty=True),
        deduplicationKeys=texts("dedupe", dedupe, may_be_empty=True),
        rowPerIdentity=row_per_identity,
        mergePolicy=None if merge_policy is None else {"id": merge_policy},
        filter=filters or None,
        additionalFields=None if event_list is None else {"eventList": event_list},
        destination=_given(segmentPerBatch=segment_per_batch),
        evaluationInfo={"segmentation": True} if evaluate else None,
    )


def _segments(
    wanted: str | Mapping[str, Any] | Iterable[str | Mapping[str, Any]] | None,
    namespace: str | None,
    statuses: list[str] | None,
) -> list[Any] | None:
    if wanted is None:
        if namespace is not None or statuses is not None:
            raise refused("segments", "missing, and segment_ns and statuses are about them")
        return None
    if not isinstance(wanted, Iterable):
        raise refused("segments", f"found {wanted!r}; allowed: a segment's ID or name, a dict, or a list of them")
    found = [wanted] if isinstance(wanted, (str, Mapping)) else list(wanted)
    if not found:
        raise refused("segments", "found an empty list, which could mean all or none; leave it out for everybody")
    return [
        dict(one) if isinstance(one, Mapping) else _given(segmentId=one, segmentNs=namespace, status=statuses)
        for one in found
    ]


def _given(**properties: Any) -> dict[str, Any]:
    """The properties that have a value."""
    return {name: value for name, value in properties.items() if value is not None}


def text(request: Mapping[str, Any] | str | None, arguments: Mapping[str, Any]) -> str:
    """The request as JSON: the one that is given, a dict or JSON text, or the one that arguments mean."""
    if request is None:
        return json.dumps(audience(**arguments))
    given = sorted(name for name, value in arguments.items() if value is not None and value is not False)
    if given:
        raise refused(".", f"give a request, or arguments that say what is exported ({', '.join(given)}), not both")
    if isinstance(request, str):
        return request
    try:
        return json.dumps(request)
    except (TypeError, ValueError) as error:
        raise refused(".", f"the request is no JSON: {error}") from None


def identity_of(text: str) -> tuple[str, str]:
    """The namespace and the id of an identity such as ``"Email:ann@example.com"``."""
    namespace, colon, id = text.partition(":")
    if not (namespace and colon and id):
        raise refused("identity", f"found {text!r}; expected a namespace and an id, such as Email:ann@example.com")
    return namespace, id
