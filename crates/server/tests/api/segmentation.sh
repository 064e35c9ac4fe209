# The platform's tutorials on creating and evaluating a segment, up to the export of its people, with their headers and the
# host, the expression and the IDs that this host has. Needs HOST, ACCESS_TOKEN, API_KEY, IMS_ORG, SANDBOX_NAME; writes each
# answer to a file.
set -euo pipefail

ask() {
  name=$1
  shift
  curl --silent --fail-with-body "$@" \
    -H 'Content-Type: application/json' \
    -H "Authorization: Bearer $ACCESS_TOKEN" \
    -H "x-api-key: $API_KEY" \
    -H "x-gw-ims-org-id: $IMS_ORG" \
    -H "x-sandbox-name: $SANDBOX_NAME" --dump-header "$name.headers" --output "$name.json"
}
until_it_says() {
  for _ in $(seq 300); do
    ask "$2" "$HOST$3"
    if grep -q "$1" "$2.json"; then return; fi
    sleep 0.1
  done
  exit 1
}
value() { python3 -c 'import json, sys; print(json.load(open(f"{sys.argv[1]}.json"))[sys.argv[2]])' "$1" "$2"; }

# Create a segment definition
ask defined -X POST "$HOST/data/core/ups/segment/definitions" -d '{
    "name": "Visitors",
    "schema": {"name": "_xdm.context.profile"},
    "expression": {
      "type": "PQL",
      "format": "pql/text",
      "value": "xEvent.eventType = \"commerce.purchase\""
    },
    "mergePolicyId": "latest",
    "evaluationInfo": {"batch": {"enabled": true}, "continuous": {"enabled": false}, "synchronous": {"enabled": false}}
  }'
segment=$(value defined id)

# Create a preview job, look at the estimate and at the people
ask preview -X POST "$HOST/data/core/ups/preview" -d '{
    "predicateExpression": "homeAddress.countryCode = \"FR\"",
    "predicateType": "pql/text",
    "predicateModel": "_xdm.context.profile",
    "graphType": "none"
  }'
preview=$(value preview previewId)
until_it_says RESULT_READY estimate "/data/core/ups/estimate/$preview"
ask people "$HOST/data/core/ups/preview/$preview"

# Refine the definition: the whole of it
ask refined -X PATCH "$HOST/data/core/ups/segment/definitions/$segment" -d '{
    "name": "People in FR",
    "schema": {"name": "_xdm.context.profile"},
    "expression": {"type": "PQL", "format": "pql/text", "value": "homeAddress.countryCode = \"FR\""},
    "mergePolicyId": "latest"
  }'

# Evaluate it on demand
ask job -X POST "$HOST/data/core/ups/segment/jobs" -d '[{"segmentId": "'"$segment"'"}]'
until_it_says '"status":"SUCCEEDED"' evaluated "/data/core/ups/segment/jobs/$(value job id)"

# Create the dataset, and export the people
ask dataset -X POST "$HOST/data/foundation/catalog/dataSets" -d '{
    "name": "Segment export dataset",
    "schemaRef": {"id": "https://ns.adobe.com/xdm/context/profile__union", "contentType": "application/vnd.adobe.xed+json;version=1"}
  }'
dataset=$(sed -E 's/.*@\/dataSets\/([0-9a-f]{24}).*/\1/' dataset.json)
ask created -X POST "$HOST/data/core/ups/export/jobs" -d '{
    "fields": "identityMap,homeAddress.countryCode,segmentMembership",
    "mergePolicy": {"id": "latest", "version": 1},
    "filter": {"segments": [{"segmentId": "'"$segment"'", "segmentNs": "ups", "status": ["realized"]}], "emptyProfiles": true},
    "destination": {"datasetId": "'"$dataset"'", "segmentPerBatch": true},
    "schema": {"name": "_xdm.context.profile"}
  }'
until_it_says '"status":"SUCCEEDED"' exported "/data/core/ups/export/jobs/$(value created id)"
