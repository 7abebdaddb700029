"""A region of AWS in the namespace of a test's own machine: EC2 and what goes with it by moto, and a metadata service.

    python region.py        in the network namespace of the machine; ends with its standard input

The machine itself is an instance there. The first line of the output is JSON: the addresses of both services and the
id of that instance; each further line tells of an instance that has changed: its id, state, address and public key.
"""

from __future__ import annotations

import http.server
import json
import os
import sys
import threading
import time
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

REGION = "us-east-1"


class Metadata(http.server.BaseHTTPRequestHandler):
    """The metadata service, version 2 only."""

    answers: dict[str, str]

    def do_PUT(self) -> None:
        self._say("token")

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != "token" or self.path not in self.answers:
            self.send_error(401 if self.path in self.answers else 404)
            return
        self._say(self.answers[self.path])

    def _say(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def main() -> None:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    url = f"http://127.0.0.1:{port}"
    ec2 = boto3.client(
        "ec2", endpoint_url=url, region_name=REGION, aws_access_key_id="AKIATEST", aws_secret_access_key="a-secret-key"
    )
    image = ec2.describe_images(Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"][0]["ImageId"]
    own = ec2.run_instances(ImageId=image, InstanceType="m7i.large", MinCount=1, MaxCount=1)["Instances"][0]
    card = own["NetworkInterfaces"][0]
    place = f"/latest/meta-data/network/interfaces/macs/{card['MacAddress']}"
    document = {"instanceId": own["InstanceId"], "region": REGION, "privateIp": own["PrivateIpAddress"]}
    Metadata.answers = {
        "/latest/dynamic/instance-identity/document": json.dumps(document),
        "/latest/meta-data/mac": card["MacAddress"],
        f"{place}/vpc-id": own["VpcId"],
        f"{place}/subnet-id": own["SubnetId"],
        f"{place}/interface-id": card["NetworkInterfaceId"],
    }
    metadata = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=metadata.serve_forever, daemon=True).start()
    threading.Thread(target=_end_with_input, daemon=True).start()
    told = {"url": url, "metadata": f"http://127.0.0.1:{metadata.server_port}", "own": own["InstanceId"]}
    print(json.dumps(told), flush=True)
    states: dict[str, str] = {own["InstanceId"]: "running"}
    while True:
        for reservation in ec2.describe_instances()["Reservations"]:
            for item in reservation["Instances"]:
                name, state = item["InstanceId"], item["State"]["Name"]
                if states.get(name) == state:
                    continue
                states[name] = state
                keys = ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
                public = next((key["PublicKey"] for key in keys if key["KeyName"] == item.get("KeyName")), "")
                change = {"id": name, "state": state, "address": item.get("PrivateIpAddress", ""), "key": public}
                print(json.dumps(change), flush=True)
        time.sleep(0.1)


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
