"""moto's server, with conditional writes as DynamoDB has them: one after the other.

moto serves every request in a thread of its own and checks a condition before it writes, without
a lock: under load two writers may both win, which DynamoDB never lets happen.
"""

import threading

from moto.dynamodb.responses import DynamoHandler
from moto.server import main

one_at_a_time = threading.Lock()
call_action = DynamoHandler.call_action


def call_action_alone(handler):
    with one_at_a_time:
        return call_action(handler)


DynamoHandler.call_action = call_action_alone

main()
