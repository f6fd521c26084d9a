"""Hands out moto servers that are ready: loading moto, and what it knows of each service, takes seconds.

One process loads all of it, and forks for each server that is asked for on its socket: a line with the port.
The server lives as long as the connection on which it was asked for.
"""

import os
import signal
import socket
import sys
import threading

from moto.moto_api._internal import mock_random
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.test import Client

import moto_server  # noqa: F401  moto as we need it

JSON = "application/x-amz-json-1.0"

# One request to each service that is used: service, method, path, headers, body.
WARMING = [
    ("ec2", "POST", "/", {}, "Action=DescribeSecurityGroups&Version=2016-11-15"),
    ("ec2", "POST", "/", {}, "Action=DescribeSecurityGroupRules&Version=2016-11-15"),
    ("s3", "PUT", "/warm", {}, ""),
    ("s3", "GET", "/warm?acl", {}, ""),
    ("s3", "GET", "/", {}, ""),
    ("dynamodb", "POST", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, "{}"),
    ("sqs", "POST", "/", {"X-Amz-Target": "AmazonSQS.ListQueues"}, "{}"),
    ("events", "POST", "/", {"X-Amz-Target": "AWSEvents.ListRules"}, "{}"),
    ("config", "POST", "/", {"X-Amz-Target": "StarlingDoveService.DescribeConfigRules"}, "{}"),
    ("ssm", "POST", "/", {"X-Amz-Target": "AmazonSSM.DescribeParameters"}, "{}"),
    ("sns", "POST", "/", {}, "Action=ListTopics&Version=2010-03-31"),
    ("sts", "POST", "/", {}, "Action=GetCallerIdentity&Version=2011-06-15"),
]


def warm(app):
    client = Client(app)
    for service, method, path, headers, body in WARMING:
        scope = f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, Signature=x"
        kind = JSON if headers else "application/x-www-form-urlencoded"
        headers = {**headers, "Authorization": scope, "Host": "127.0.0.1"}
        client.open(path, method=method, headers=headers, content_type=kind, data=body).close()
    client.post("/moto-api/reset").close()


def end_with(connection):
    while connection.recv(1):
        pass
    os._exit(0)


def serve(app, connection):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if "DEFENDABLE_TEST_LOGS" not in os.environ:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    port = int(connection.makefile().readline())
    os.environ["MOTO_PORT"] = str(port)
    mock_random.seed()
    threading.Thread(target=end_with, args=(connection,), daemon=True).start()
    run_simple("127.0.0.1", port, app, threaded=True, request_handler=MotoRequestHandler)


def main(path):
    app = DomainDispatcherApplication(create_backend_app)
    app.debug = True
    warm(app)
    listener = socket.socket(socket.AF_UNIX)
    # It is there once it answers.
    listener.bind(f"{path}.new")
    listener.listen(64)
    os.rename(f"{path}.new", path)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            serve(app, connection)
            os._exit(0)
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
