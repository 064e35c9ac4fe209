# The commands of the platform's tutorial on export jobs, header by header, with the host and the IDs
# that this host gave out. Its command that cancels says -X POST above a text that says DELETE; the text
# is right. Needs HOST, ACCESS_TOKEN, API_KEY, IMS_ORG, SANDBOX_NAME; writes each answer to a file.
set -euo pipefail

# Create a target dataset
curl --silent --fail-with-body -X POST "$HOST/data/foundation/catalog/dataSets" \
  -H 'Content-Type: application/json' \
  -H "Authorization: Bearer $ACCESS_TOKEN" \
  -H "x-api-key: $API_KEY" \
  -H "x-gw-ims-org-id: $IMS_ORG" \
  -H "x-sandbox-name: $SANDBOX_NAME" \
  -d '{
        "name": "Profile Data Export",
        "schemaRef": {
          "id": "https://ns.adobe.com/xdm/context/profile__union",
          "contentType": "application/vnd.adobe.xed+json;version=1"
        },
        "fileDescription": {
          "persisted": true,
          "containerFormat": "parquet",
          "format": "parquet"
        }
      }' --dump-header dataset.headers --output dataset.json
dataset=$(sed -E 's/.*@\/dataSets\/([0-9a-f]{24}).*/\1/' dataset.json)

# Start an export job
curl --silent --fail-with-body -X POST "$HOST/data/core/ups/export/jobs" \
  -H 'Content-Type: application/json' \
  -H "Authorization: Bearer $ACCESS_TOKEN" \
  -H "x-api-key: $API_KEY" \
  -H "x-gw-ims-org-id: $IMS_ORG" \
  -H "x-sandbox-name: $SANDBOX_NAME" \
  -d '{
    "fields": "identities.id,personalEmail.address",
    "mergePolicy": {"id": "timestampOrdered-none-mp", "version": 1},
    "filter": {
      "segments": [
        {"segmentId": "4edc8ad7-1e2d-4d6a-9c3b-0d1c7d6f2a10", "segmentNs": "AAM", "status": ["realized"]},
        {"segmentId": "85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21", "segmentNs": "UPS", "status": ["exited"]}
      ],
      "segmentQualificationTime": {"startTime": "2018-10-20T00:00:00Z", "endTime": "2018-10-28T00:00:00Z"},
      "fromIngestTimestamp": "2018-10-20T00:00:00-07:00",
      "emptyProfiles": true
    },
    "additionalFields": {
      "eventList": {
        "fields": "environment.browserDetails.name,environment.browserDetails.version",
        "filter": {"fromIngestTimestamp": "2018-10-25T13:22:04-07:00"}
      }
    },
    "destination": {"datasetId": "'"$dataset"'", "segmentPerBatch": true},
    "schema": {"name": "_xdm.context.profile"}
  }' --dump-header created.headers --output created.json
job=$(sed -E 's/.*"id":([0-9]+),"jobType".*/\1/' created.json)

# List the jobs
curl --silent --fail-with-body -X GET "$HOST/data/core/ups/export/jobs/" \
  -H "Authorization: Bearer $ACCESS_TOKEN" \
  -H "x-api-key: $API_KEY" \
  -H "x-gw-ims-org-id: $IMS_ORG" \
  -H "x-sandbox-name: $SANDBOX_NAME" --dump-header list.headers --output list.json

# Watch the job until it is done
for _ in $(seq 300); do
  curl --silent --fail-with-body -X GET "$HOST/data/core/ups/export/jobs/$job" \
    -H "Authorization: Bearer $ACCESS_TOKEN" \
    -H "x-api-key: $API_KEY" \
    -H "x-gw-ims-org-id: $IMS_ORG" \
    -H "x-sandbox-name: $SANDBOX_NAME" --dump-header done.headers --output done.json
  if grep -q '"status":"SUCCEEDED"' done.json; then break; fi
  sleep 0.1
done

# Cancel it: too late
curl --silent -X DELETE "$HOST/data/core/ups/export/jobs/$job" \
  -H "Authorization: Bearer $ACCESS_TOKEN" \
  -H "x-api-key: $API_KEY" \
  -H "x-gw-ims-org-id: $IMS_ORG" \
  -H "x-sandbox-name: $SANDBOX_NAME" --dump-header deleted.headers --output deleted.json
