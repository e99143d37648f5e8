"""Buckets of S3 on a server of this process, and what other processes need to reach them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer


@contextmanager
def s3_server() -> Iterator[Mapping[str, str]]:
    """Yield the environment variables by which programs find a server of S3."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it has a line for every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "2",
        }
    finally:
        server.stop()


def new_bucket(environment: Mapping[str, str], patched: pytest.MonkeyPatch) -> str:
    """Create a bucket that this process can use from now on, and return its name."""
    for name, value in environment.items():
        patched.setenv(name, value)
    name = f"weights-{uuid4().hex[:8]}"
    with client() as service:
        service.create_bucket(Bucket=name)
    return name


@contextmanager
def client() -> Iterator[Any]:
    """Yield a client of S3, which is closed at the end."""
    service = boto3.client("s3")
    try:
        yield service
    finally:
        service.close()


def keys(bucket: str) -> list[str]:
    """Return the names of all files in a bucket."""
    with client() as service:
        return [
            entry["Key"] for entry in service.list_objects_v2(Bucket=bucket).get("Contents", [])
        ]


def read(bucket: str, key: str) -> bytes:
    """Return the content of a file in a bucket."""
    with client() as service:
        content: bytes = service.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content
