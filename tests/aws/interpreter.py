"""Step Functions on loopback, with Lambda elsewhere: interpreter.py PORT LAMBDA_ENDPOINT WAIT_SCALE

Runs the interpreter of the Amazon States Language that moto carries. The waits before retries take WAIT_SCALE times as long as
the state machine says, and each is printed in the seconds it would have taken.
"""

import os
import sys
import time

port, lambda_endpoint, scale = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
os.environ["MOTO_PORT"] = str(port)

import boto3
from botocore.config import Config
from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils


def client(region, service, state_credentials=None):
    """As the interpreter makes its own clients, but that Lambda is where the test has it, and that it retries nothing itself."""
    del state_credentials
    settings = Config(parameter_validation=False, retries={"total_max_attempts": 1}, read_timeout=960, max_pool_connections=64)
    endpoint = lambda_endpoint if service == "lambda" else f"http://127.0.0.1:{port}"
    key = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, region_name=region, endpoint_url=endpoint, config=settings, **key)


class Waiting:
    """Stands in for the module `time` where the interpreter waits before a retry."""

    @staticmethod
    def sleep(seconds):
        print(f"waits {seconds:.3f}", flush=True)
        time.sleep(seconds * scale)


lambda_eval_utils.boto_client_for = client
retrier_decl.time = Waiting
default_user_config["stepfunctions"] = {"execute_state_machine": True}
ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False).start()
print("ready", flush=True)
while True:
    time.sleep(3600)
