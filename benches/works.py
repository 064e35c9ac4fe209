"""What is measured: the works, our requests for them, and what all answers must agree in."""

PROFILES = ("crm", "loyalty", "web")
KEY_COLUMN = "k"
KEY = "identityMap['ECID'][1].id"
SEGMENTS = [("AAM", "segment-0021-8b1f2c3d", "realized"), ("UPS", "segment-0040-8b1f2c3d", "exited")]
# The records have the platform's own namespace in small letters.
STORED = {"UPS": "ups", "AAM": "AAM"}
ALL_SEGMENTS = [("AAM" if n % 2 else "UPS", f"segment-{n:04}-8b1f2c3d") for n in range(200)]
MEMBERS = ("realized", "existing")
W1 = {"window": ("2026-02-01T00:00:00Z", "2026-09-01T00:00:00Z"), "ingested": "2026-03-01T00:00:00Z",
      "events": "2026-05-01T00:00:00Z"}
NAMES = {
    "W1": "tutorial's request, per segment", "W2": "all profiles, all fields", "W3": "three fields, all events",
    "W4": "load NDJSON", "W5 (W1)": "W1 straight from NDJSON", "W5 (W3)": "W3 straight from NDJSON",
    "W6": "200 segments, a batch each",
}
LEAVES = {
    "_id": PROFILES, "person.name.firstName": ("crm", "loyalty"), "person.name.lastName": ("crm", "loyalty"),
    "person.name.fullName": ("crm",), "person.gender": ("crm",), "person.birthYear": ("crm",),
    "personalEmail.address": PROFILES, "personalEmail.primary": ("crm", "loyalty"), "personalEmail.status": ("crm",),
    "identityMap": PROFILES, "identities": ("crm",), "homeAddress": ("crm",), "mobilePhone": ("crm",), "consents": ("crm",),
    "interests": ("crm",), "lifetimeValue": ("crm",), "loyalty": ("loyalty",), "preferredStore": ("loyalty",),
    "web": ("web",), "propensity": ("web",), "segmentMembership": PROFILES,
}
# By work; the answers of W6 are compared segment by segment.
CHECKS = {
    "W1": "count(*), sum(len(timeSeriesEvents)), bit_xor(hash(personalEmail.address)), bit_xor(hash(identities[1].id))",
    "W2": "count(*), bit_xor(hash(_id)), bit_xor(hash(person.name.lastName)), bit_xor(hash(personalEmail.address)), "
          "sum(loyalty.points), sum(person.birthYear), bit_xor(hash(web.landingPage)), sum(lifetimeValue)::BIGINT",
    "W3": "count(*), sum(len(timeSeriesEvents)), bit_xor(hash(_id)), bit_xor(hash(person.name.lastName)), "
          "bit_xor(hash(timeSeriesEvents[1].eventType, timeSeriesEvents[1].timestamp))",
    "W6": "count(*), bit_xor(hash(personalEmail.address, person.name.lastName))",
}


def requests(target):
    base = {"destination": {"datasetId": target}, "schema": {"name": "_xdm.context.profile"}}
    per_segment = {**base, "destination": {"datasetId": target, "segmentPerBatch": True}}
    tutorial = {
        **per_segment, "fields": "identities.id,personalEmail.address",
        "filter": {"segments": [{"segmentId": s, "segmentNs": ns, "status": [status]} for ns, s, status in SEGMENTS],
                   "segmentQualificationTime": {"startTime": W1["window"][0], "endTime": W1["window"][1]},
                   "fromIngestTimestamp": W1["ingested"], "emptyProfiles": False},
        "additionalFields": {"eventList": {
            "fields": "environment.browserDetails.name,environment.browserDetails.version",
            "filter": {"fromIngestTimestamp": W1["events"]}}}}
    return {"W1": tutorial, "W2": base,
            "W3": {**base, "fields": "_id,personalEmail.address,person.name.lastName",
                   "additionalFields": {"eventList": {"fields": "eventType,timestamp"}}},
            "W6": {**per_segment, "fields": "personalEmail.address,person.name.lastName",
                   "filter": {"segments": [{"segmentId": s, "segmentNs": ns, "status": list(MEMBERS)}
                                           for ns, s in ALL_SEGMENTS]}}}


def nested(leaves, column, alias, struct):
    """The leaves as they were before they were merged, in structs, for a peer's own `column` of a leaf, `alias`
    of a column and `struct` of columns."""
    tops = {}
    for leaf in leaves:
        top, *rest = leaf.split(".")
        tops.setdefault(top, []).append((rest, column(leaf)))

    def build(name, parts):
        if len(parts) == 1 and not parts[0][0]:
            return alias(parts[0][1], name)
        inner = {}
        for (first, *rest), part in parts:
            inner.setdefault(first, []).append((rest, part))
        return alias(struct([build(part, columns) for part, columns in inner.items()]), name)
    return [build(top, parts) for top, parts in tops.items()]
