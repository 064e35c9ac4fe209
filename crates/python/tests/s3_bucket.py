"""A bucket of a real S3 server on loopback (moto)."""

from contextlib import contextmanager

import boto3
from moto.server import ThreadedMotoServer


class Bucket:
    """The bucket, and the variables of the environment that lead to it."""

    def __init__(self, endpoint):
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
        # Nothing of the machine's own.
        files = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
        self.environment = {**keys, **files, "AWS_ENDPOINT_URL": endpoint}
        self.s3 = boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.s3.create_bucket(Bucket="exports")

    def keys(self):
        return sorted(item["Key"] for item in self.s3.list_objects_v2(Bucket="exports").get("Contents", []))

    def copy(self, prefix, folder):
        """What is below a prefix, as a folder."""
        for key in self.keys():
            if key.startswith(prefix):
                path = folder / key.removeprefix(prefix)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.s3.get_object(Bucket="exports", Key=key)["Body"].read())
        return folder

    def empty(self):
        for key in self.keys():
            self.s3.delete_object(Bucket="exports", Key=key)


@contextmanager
def serving():
    """A bucket as long as it is looked at."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        yield Bucket("http://{}:{}".format(*server.get_host_and_port()))
    finally:
        server.stop()
