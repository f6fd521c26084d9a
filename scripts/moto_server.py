"""moto's server, one request at a time, and without what makes it slow.

moto serves every request in a thread of its own, and checks DynamoDB's conditions before it writes
without a lock: under load two writers may both win, which DynamoDB never lets happen. And Python
runs one thread at a time anyway: many that take turns are slower than one after the other.

What made it slow, and is not missed: a line of log for every request; the folder of its services, a
hundred and fifty, listed up to twice for each; all messages of a queue counted for each that is
received, to tell whether it is older than some days; for each of DynamoDB's queries the whole table put
in order by comparing keys in Python (eight times as long, with 3,000 items), and each attribute's value,
which is in DynamoDB's JSON already, picked apart and put together again; and the time of day worked out
by a calendar for each message of a queue, several times in each call.

What moto says of a policy's status is wrong for conditions, `NotPrincipal`, services and Denies:
`public_policy` answers instead.
"""

import json
import logging
import threading
import time

import moto.backends
import moto.s3.responses
import moto.sqs.models
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import main
from moto.sqs.models import Queue, SQSBackend

import public_policy

turn = threading.Lock()
answer = DomainDispatcherApplication.__call__
wait_for_messages = Queue.wait_for_messages
serialize_structure = BaseJSONSerializer._serialize_type_structure
value_as_python_has_it = DynamoType.cast_value.fget
services = frozenset(moto.backends.list_of_moto_modules())


def answer_in_turn(application, environ, start_response):
    with turn:
        return answer(application, environ, start_response)


def wait_while_others_have_their_turn(queue, timeout):
    turn.release()
    try:
        return wait_for_messages(queue, timeout)
    finally:
        turn.acquire()


def value(attribute):
    return attribute.value if attribute.type == "S" else value_as_python_has_it(attribute)


def items_in_order(table):
    items = [item for under_one_key in table.items.values() for item in under_one_key.values()]
    return sorted(items, key=lambda item: (value(item.hash_key), value(item.range_key)))


def serialize(serializer, serialized, attribute, shape, key):
    if shape.name == "AttributeValue":
        serialized[key] = attribute
    else:
        serialize_structure(serializer, serialized, attribute, shape, key)


DomainDispatcherApplication.__call__ = answer_in_turn
Queue.wait_for_messages = wait_while_others_have_their_turn

logging.getLogger("werkzeug").setLevel(logging.ERROR)
moto.backends.list_of_moto_modules = lambda: services
BaseJSONSerializer._serialize_type_structure = serialize
DynamoType.cast_value = property(value)
moto.s3.responses.bucket_policy_is_public = lambda policy: public_policy.is_public(json.loads(policy))
# Of tables with both keys, as ours is.
Table.all_items = items_in_order
moto.sqs.models.unix_time = time.time
moto.sqs.models.unix_time_millis = lambda: time.time() * 1000
SQSBackend.is_message_valid_based_on_retention_period = lambda *_: True

if __name__ == "__main__":
    main()
